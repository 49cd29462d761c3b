"""A prepared catalogue: cut-outs of one size in one file a split, ready to be learnt from.

``catalogue.json`` says what it is. For each split, ``{split}.npy`` is (N, S, S, 4) bytes, premultiplied RGBA,
and ``{split}.jsonl`` has a line for each of its rows: the picture that it comes from, its attributes, its
colours in CIELAB, and how good the cut-out is held to be.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.catalog.fit import refit
from prodgen.catalog.pictures import shown
from prodgen.errors import NotFound, ProdgenError

FORMAT = 1
DESCRIPTION = "catalogue.json"
CHANNELS = 4


def is_prepared(folder: Path) -> bool:
    """Whether the folder says that it is a prepared catalogue."""
    path = folder / DESCRIPTION
    return path.is_file() and _read_json(path).get("kind") == "prepared"


def prepared_splits(folder: Path) -> list[str]:
    """The splits that have pictures, in their usual order."""
    return [split for split, count in read_description(folder)["splits"].items() if count]


def read_description(folder: Path) -> dict[str, Any]:
    """``catalogue.json``; raises ProdgenError if it is of another format."""
    said = _read_json(folder / DESCRIPTION)
    if said.get("format") != FORMAT:
        raise ProdgenError(
            f"{shown(folder / DESCRIPTION)} is of format {said.get('format')!r}; this version reads "
            f"{FORMAT}: prepare the pictures again"
        )
    whole = isinstance(said.get("size"), int) and all(
        isinstance(said.get(name), dict) for name in ("attributes", "splits")
    )
    if not whole:
        raise ProdgenError(f"{shown(folder / DESCRIPTION)} lacks its size, attributes or splits")
    return said


def load_prepared(
    folder: Path, split: str = "train", *, size: int | None = None, channels: int | None = None
) -> Catalogue:
    """One split: images (N, S, S, 4) that stay on the disk until they are looked at, and their attributes.

    ``colour`` is the mean colour of an image's product.

    At another size or number of channels they are read, and changed.
    """
    said = read_description(folder)
    if not said["splits"].get(split):
        there = ", ".join(prepared_splits(folder))
        raise NotFound(f"{shown(folder)} has no split {split!r}; it has {there}", param="split")
    images, rows = _images(folder, split, said["size"]), read_rows(folder, split)
    if len(rows) != len(images):
        raise ProdgenError(
            f"{shown(folder)} has {len(images)} images in {split}.npy and {len(rows)} rows in "
            f"{split}.jsonl: prepare the pictures again"
        )
    values = {name: tuple(listed) for name, listed in said["attributes"].items()}
    number = {name: {value: k for k, value in enumerate(listed)} for name, listed in values.items()}
    labels = {
        name: np.array([known.get(row.get(name), UNKNOWN) for row in rows], np.int64)
        for name, known in number.items()
    }
    colour = np.array([row["colour"] for row in rows], np.float32).reshape(len(rows), 3)
    return Catalogue(_changed(images, size, channels), labels, values, {"colour": colour})


def read_rows(folder: Path, split: str) -> list[dict[str, Any]]:
    """What is written down of each image of a split, in the order of the images."""
    path = folder / f"{split}.jsonl"
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except (ValueError, OSError) as error:
        raise ProdgenError(f"{shown(path)} cannot be read: {error}") from None


def _images(folder: Path, split: str, size: int) -> NDArray[np.uint8]:
    path = folder / f"{split}.npy"
    try:
        images = np.load(path, mmap_mode="c")
    except (ValueError, OSError) as error:
        raise ProdgenError(f"{shown(path)} cannot be read: {error}") from None
    if images.dtype != np.uint8 or images.shape[1:] != (size, size, CHANNELS):
        raise ProdgenError(
            f"{shown(path)} has {images.dtype} of shape {images.shape}; it should have bytes of "
            f"shape (N, {size}, {size}, {CHANNELS})"
        )
    return images


def _changed(images: NDArray[np.uint8], size: int | None, channels: int | None) -> NDArray[np.uint8]:
    """The images at another size; with fewer channels they lie on white."""
    own = images.shape[1]
    if channels in (None, CHANNELS):
        if size in (None, own):
            return images
        # Apart, because to Pillow colours with an alpha are not premultiplied.
        colour, alpha = refit(images[..., :3], size), refit(images[..., 3:], size)
        return np.concatenate([np.minimum(colour, alpha), alpha], 3)
    return refit(images[..., :3] + (255 - images[..., 3:]), size, channels)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ProdgenError(f"{shown(path)} is not JSON: {error}") from None
    return said if isinstance(said, dict) else {}
