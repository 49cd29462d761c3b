"""Read a prepared catalogue: a folder of cut-outs of one size, ready for training.

``catalogue.json`` describes the catalogue. For each split, ``{split}.npy`` has the images, (N, S, S, 4) bytes
of premultiplied RGBA, and ``{split}.jsonl`` has a row for each image: its source picture, its attributes, its
colours in CIELAB and the estimated quality of the cut-out.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import Catalogue, encode_labels
from prodgen.catalog.picture_files import centre_crop_all, printable
from prodgen.errors import ProdgenError

FORMAT = 1
DESCRIPTION = "catalogue.json"
CHANNELS = 4


def is_prepared(folder: Path) -> bool:
    """Return whether the folder's ``catalogue.json`` describes a prepared catalogue."""
    path = folder / DESCRIPTION
    return path.is_file() and _read_json(path).get("kind") == "prepared"


def prepared_splits(folder: Path) -> list[str]:
    """Return the splits of a prepared catalogue that have pictures, in the order of ``catalogue.json``."""
    return [split for split, count in _read_description(folder)["splits"].items() if count]


def load_prepared(
    folder: Path, split: str = "train", *, size: int | None = None, channels: int | None = None
) -> Catalogue:
    """Load a split with its attributes and the attribute ``colour``, each product's mean CIELAB colour.

    The images, (N, S, S, 4), are memory-mapped. For another size or number of channels, they are converted in
    memory; if ``channels`` is less than 4, products are on white. Raises ProdgenError for invalid files.
    """
    description = _read_description(folder)
    path, side = folder / f"{split}.npy", description["size"]
    try:
        images = np.load(path, mmap_mode="c")
    except (ValueError, OSError) as error:
        raise ProdgenError(f"{printable(path)} cannot be read: {error}") from None
    if images.dtype != np.uint8 or images.shape[1:] != (side, side, CHANNELS):
        raise ProdgenError(
            f"{printable(path)} has {images.dtype} of shape {images.shape}; it should have bytes of "
            f"shape (N, {side}, {side}, {CHANNELS})"
        )
    rows = read_jsonl(folder / f"{split}.jsonl")
    if len(rows) != len(images):
        raise ProdgenError(
            f"{printable(folder)} has {len(images)} images in {split}.npy and {len(rows)} rows in "
            f"{split}.jsonl: prepare the pictures again"
        )
    values = {name: tuple(listed) for name, listed in description["attributes"].items()}
    colour = np.array([row["colour"] for row in rows], np.float32).reshape(len(rows), 3)
    images = _converted(images, size, channels)
    synonyms = _merged_names(description.get("merged", {}))
    return Catalogue(images, encode_labels(values, rows), values, {"colour": colour}, synonyms)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write each row to the file ``path`` as a line of JSON."""
    # ASCII escapes keep file names that are not UTF-8: Python reads them back unchanged.
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file; raises ProdgenError if the file cannot be read."""
    try:
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    except (ValueError, OSError) as error:
        raise ProdgenError(f"{printable(path)} cannot be read: {error}") from None


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    description = _read_json(path)
    if description.get("format") != FORMAT:
        raise ProdgenError(
            f"{printable(path)} is of format {description.get('format')!r}; this version reads {FORMAT}: "
            "prepare the pictures again"
        )
    whole = isinstance(description.get("size"), int) and all(
        isinstance(description.get(name), dict) for name in ("attributes", "splits")
    )
    if not whole:
        raise ProdgenError(f"{printable(path)} lacks its size, attributes or splits")
    return description


def _merged_names(merges: Mapping[str, str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the old names of merged categories by new name, because people still ask for the old names."""
    names = {new: tuple(sorted(old for old in merges if merges[old] == new)) for new in merges.values()}
    return {"category": names} if names else {}


def _converted(images: NDArray[np.uint8], size: int | None, channels: int | None) -> NDArray[np.uint8]:
    if channels in (None, CHANNELS):
        if size in (None, images.shape[1]):
            return images
        # Resized apart, because Pillow would take RGBA for colours that are not premultiplied.
        colour, alpha = (centre_crop_all(part, size) for part in (images[..., :3], images[..., 3:]))
        return np.concatenate([np.minimum(colour, alpha), alpha], 3)
    return centre_crop_all(images[..., :3] + (255 - images[..., 3:]), size, channels)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ProdgenError(f"{printable(path)} is not JSON: {error}") from None
    return content if isinstance(content, dict) else {}
