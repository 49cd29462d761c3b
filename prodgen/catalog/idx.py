"""Read MNIST, Fashion-MNIST and other data sets in the IDX format (LeCun 1998)."""

import gzip
import hashlib
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.spelling import normalise

CLASSES = {
    "fashion-mnist": (
        "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot",
    ),
    "mnist": tuple("0123456789"),
}  # fmt: skip
NAMES = "names.txt"
"""Name of a file beside the IDX files; each line of the file names a class, from label 0 on."""

PREFIXES = {"train": "train", "test": "t10k"}
"""Prefix of the file names of each split."""

_UNSIGNED_BYTE = 0x08
_OFFICIAL = {
    "9018921c3c673c538a1fc5bad174d6f9": "fashion-mnist",
    "15d484375f8d13e6eb1aabb0c3f46965": "fashion-mnist",
    "a25bea736e30d166cdddb491f175f624": "mnist",
    "27ae3e4e09519cfbb04c329615203637": "mnist",
}
"""Data sets by the MD5 of their official label files; the MD5 is that of the uncompressed file."""


def load_idx(folder: Path, classes: str | Sequence[str] = "fashion-mnist", split: str = "train") -> Catalogue:
    """Load the images and categories of one split, ``train`` or ``test``. The folder has four IDX files.

    ``classes`` names the labels 0, 1, ...: a key of CLASSES, or the names themselves. Raises NotFound if a
    file of the split is missing, and ProdgenError for invalid files.
    """
    prefix = PREFIXES[split]
    images = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"))
    labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"))
    if images.ndim != 3 or labels.ndim != 1:
        raise ProdgenError(
            f"{folder} holds images of {images.ndim - 1} dimensions and labels of {labels.ndim - 1}; "
            "they should have 2 and 0"
        )
    if len(images) != len(labels):
        raise ProdgenError(f"{folder} holds {len(images)} images but {len(labels)} labels")
    names = tuple(CLASSES[classes] if isinstance(classes, str) else classes)
    if len(labels) and labels.max() >= len(names):
        source = classes if isinstance(classes, str) else NAMES
        raise ProdgenError(f"{folder} has a label {labels.max()}; {source} has only {len(names)} classes")
    return Catalogue(images[..., None], {"category": labels.astype(np.int64)}, {"category": names})


def idx_classes(folder: Path) -> str | tuple[str, ...]:
    """Return the classes that a folder's labels stand for: a key of CLASSES, or the classes' names.

    MNIST, Fashion-MNIST and other data sets use the same file names. The first rule that applies decides: the
    MD5 of an official label file; the names in ``names.txt``; Fashion-MNIST if the folder's own name contains
    "fashion"; otherwise MNIST. Raises ProdgenError for an invalid ``names.txt``.
    """
    train, test = (find_idx(folder, f"{prefix}-labels-idx1-ubyte") for prefix in PREFIXES.values())
    if labels := train or test:
        digest = hashlib.md5(_read_content(labels), usedforsecurity=False).hexdigest()
        if digest in _OFFICIAL:
            return _OFFICIAL[digest]
    path = folder / NAMES
    if not path.is_file():
        return "fashion-mnist" if "fashion" in folder.resolve().name.lower() else "mnist"
    lines = _read_content(path).decode("utf-8-sig", errors="replace").splitlines()
    names = tuple(normalise(line) for line in lines if line.strip())
    if not names or len(set(names)) < len(names):
        raise ProdgenError(f"{path} should have one class name a line, each once, from label 0 on")
    return names


def idx_splits(folder: Path) -> list[str]:
    """Return the splits whose images are in the folder; an empty list for a folder of other data."""
    return [s for s, prefix in PREFIXES.items() if find_idx(folder, f"{prefix}-images-idx3-ubyte")]


def find_idx(folder: Path, name: str) -> Path | None:
    """Return the path of the file ``name`` or ``name``.gz in the folder, or None if neither exists."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array in an IDX file of unsigned bytes, gzipped or not; raises ProdgenError if invalid."""
    raw = _read_content(path)
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != _UNSIGNED_BYTE:
        raise ProdgenError(f"{path} is not an IDX file of bytes: it begins with {raw[:4].hex(' ')}")
    dimensions = raw[3]
    if len(raw) < 4 + 4 * dimensions:
        raise ProdgenError(f"{path} is cut short: its header promises {dimensions} dimensions")
    shape = tuple(np.frombuffer(raw, ">u4", dimensions, 4).tolist())
    content = np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions)
    if content.size != math.prod(shape):
        raise ProdgenError(f"{path} is not whole: {content.size} bytes where its header promises {shape}")
    return content.reshape(shape).copy()


def _read_content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ProdgenError(f"{path} is not a whole gzip file: {error}") from None
    except OSError as error:
        raise ProdgenError(f"{path} cannot be read: {error.strerror}") from None


def _find(folder: Path, name: str) -> Path:
    path = find_idx(folder, name)
    if path is None:
        raise NotFound(
            f"{folder} has no {name} or {name}.gz; it should hold the four IDX files of the data set"
        )
    return path
