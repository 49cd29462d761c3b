"""Any data set that prodgen reads, recognised by what its folder holds."""

from pathlib import Path

from prodgen.catalog.catalogue import Catalogue
from prodgen.catalog.cifar import cifar_splits, load_cifar
from prodgen.catalog.fit import MODES, refit
from prodgen.catalog.folder import CHANNELS, SIZE, list_pictures, load_folder, splits_of
from prodgen.catalog.idx import idx_splits, load_idx
from prodgen.catalog.idx_classes import idx_classes
from prodgen.catalog.pictures import Progress
from prodgen.catalog.prepared import is_prepared, load_prepared, prepared_splits
from prodgen.errors import NotFound, ProdgenError

SMALLEST, LARGEST = 8, 1024
"""Pixels of a side."""


def open_catalogue(
    path: Path,
    split: str = "train",
    *,
    size: int | None = None,
    channels: int | None = None,
    progress: Progress | None = None,
) -> Catalogue:
    """One split of the data set in the folder ``path``, as (N, size, size, channels) bytes.

    IDX files and CIFAR-10 keep their own size and channels unless others are asked for. MNIST and
    Fashion-MNIST share their file names; `prodgen.catalog.idx_classes` tells them apart by the checksum of
    the labels, else by ``names.txt``, else by a folder's name with "fashion" in it, else they are digits.
    All else is a folder of pictures, read at 64 pixels in 3 channels if not told otherwise; ``progress``
    hears of every one. A prepared folder has 4 channels, premultiplied, and stays on the disk until it is
    looked at. Raises NotFound naming the splits that are there, and ProdgenError for what cannot be read.
    """
    if size is not None and not SMALLEST <= size <= LARGEST:
        raise ProdgenError(f"size {size} is not from {SMALLEST} to {LARGEST}", param="size")
    if channels is not None and channels not in MODES:
        raise ProdgenError(f"channels {channels} is none of {', '.join(map(str, MODES))}", param="channels")
    found = kind(path)
    if found == "folder":
        return load_folder(path, split, size=size or SIZE, channels=channels or CHANNELS, progress=progress)
    if found == "prepared":
        return load_prepared(path, split, size=size, channels=channels)
    there = splits(path)
    if split not in there:
        raise NotFound(f"{path} has no split {split!r}; it has {', '.join(there)}", param="split")
    catalogue = load_idx(path, idx_classes(path), split) if found == "idx" else load_cifar(path, split)
    height, width = catalogue.images.shape[1:3]
    if size is None and height != width:
        raise ProdgenError(
            f"{path} holds images of {width}x{height} pixels; name a size, and the square in their middle is "
            "brought to it",
            param="size",
        )
    return Catalogue(refit(catalogue.images, size, channels), catalogue.labels, catalogue.values)


def kind(path: Path) -> str:
    """What the folder holds: ``prepared``, ``idx``, ``cifar-10`` or ``folder`` (of pictures)."""
    if not path.is_dir():
        raise NotFound(
            f"{path} is a file; name its folder" if path.exists() else f"there is no folder {path}"
        )
    if is_prepared(path):
        return "prepared"
    if idx_splits(path):
        return "idx"
    return "cifar-10" if cifar_splits(path) else "folder"


def splits(path: Path) -> list[str]:
    """The splits that the folder has, of ``train``, ``validation`` and ``test``."""
    match kind(path):
        case "prepared":
            return prepared_splits(path)
        case "idx":
            return idx_splits(path)
        case "cifar-10":
            return cifar_splits(path)
        case _:
            return splits_of(list_pictures(path))
