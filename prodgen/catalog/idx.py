"""MNIST and Fashion-MNIST: the IDX format (LeCun 1998)."""

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import NotFound, ProdgenError

CLASSES = {
    "fashion-mnist": (
        "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot",
    ),
    "mnist": tuple("0123456789"),
}  # fmt: skip

PREFIXES = {"train": "train", "test": "t10k"}
"""How the files of a split begin."""

_UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes, gzipped or not; raises ProdgenError for another file."""
    raw = read_content(path)
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


def read_content(path: Path) -> bytes:
    """A file's bytes, unpacked if it is a .gz; raises ProdgenError if it cannot be read."""
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ProdgenError(f"{path} is not a whole gzip file: {error}") from None
    except OSError as error:
        raise ProdgenError(f"{path} cannot be read: {error.strerror}") from None


def load_idx(folder: Path, classes: str | Sequence[str] = "fashion-mnist", split: str = "train") -> Catalogue:
    """The images and categories of one split (``train`` or ``test``) of a folder with the four files.

    ``classes`` names the labels 0, 1, ...: a key of CLASSES, or the names themselves.
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
        who = classes if isinstance(classes, str) else "names.txt"
        raise ProdgenError(f"{folder} has a label {labels.max()}; {who} has only {len(names)} classes")
    return Catalogue(images[..., None], {"category": labels.astype(np.int64)}, {"category": names})


def idx_splits(folder: Path) -> list[str]:
    """The splits whose images lie in the folder; none if it is no data set of this kind."""
    return [s for s, prefix in PREFIXES.items() if find_idx(folder, f"{prefix}-images-idx3-ubyte")]


def find_idx(folder: Path, name: str) -> Path | None:
    """The file of that name in the folder, gzipped or not."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def _find(folder: Path, name: str) -> Path:
    path = find_idx(folder, name)
    if path is None:
        raise NotFound(
            f"{folder} has no {name} or {name}.gz; it should hold the four IDX files of the data set"
        )
    return path
