"""MNIST and Fashion-MNIST: the IDX format (LeCun 1998)."""

import gzip
import math
import zlib
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

_UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes, gzipped or not; raises ProdgenError for another file."""
    raw = _content(path)
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


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ProdgenError(f"{path} is not a whole gzip file: {error}") from None
    except OSError as error:
        raise ProdgenError(f"{path} cannot be read: {error.strerror}") from None


def load_idx(folder: Path, classes: str = "fashion-mnist", split: str = "train") -> Catalogue:
    """The images and categories of one split (``train`` or ``test``) of a folder with the four files."""
    prefix = {"train": "train", "test": "t10k"}[split]
    images = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"))
    labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"))
    if images.ndim != 3 or labels.ndim != 1:
        raise ProdgenError(
            f"{folder} holds images of {images.ndim - 1} dimensions and labels of {labels.ndim - 1}; "
            "they should have 2 and 0"
        )
    if len(images) != len(labels):
        raise ProdgenError(f"{folder} holds {len(images)} images but {len(labels)} labels")
    names = CLASSES[classes]
    if len(labels) and labels.max() >= len(names):
        raise ProdgenError(f"{folder} has a label {labels.max()}; {classes} has only {len(names)} classes")
    return Catalogue(images[..., None], {"category": labels.astype(np.int64)}, {"category": names})


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise NotFound(f"{folder} has no {name} or {name}.gz; it should hold the four IDX files of the data set")
