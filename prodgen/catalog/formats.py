"""Recognise the format of a data set by its folder's content, and open it."""

from pathlib import Path

from prodgen.catalog.catalogue import Catalogue
from prodgen.catalog.cifar import cifar_splits, load_cifar
from prodgen.catalog.folder import CHANNELS, SIZE, load_folder, picture_splits
from prodgen.catalog.idx import idx_classes, idx_splits, load_idx
from prodgen.catalog.picture_files import MODES, Progress, centre_crop_all
from prodgen.catalog.prepared_catalogue import is_prepared, load_prepared, prepared_splits
from prodgen.errors import NotFound, ProdgenError

MIN_SIZE, MAX_SIZE = 8, 1024
"""Limits of an image's side in pixels."""
_SPLITS = {"prepared": prepared_splits, "idx": idx_splits, "cifar-10": cifar_splits, "folder": picture_splits}


def open_catalogue(
    path: Path,
    split: str = "train",
    *,
    size: int | None = None,
    channels: int | None = None,
    progress: Progress | None = None,
) -> Catalogue:
    """Open one split of the data set in the folder ``path`` as (N, size, size, channels) bytes.

    By default, IDX files, CIFAR-10 and prepared catalogues keep their own size and channels, and a folder of
    pictures is read at 64 pixels in 3 channels. The images of a prepared catalogue are premultiplied RGBA,
    memory-mapped from its files. ``progress`` is called for each picture of a folder of pictures.

    Raises NotFound with the available splits if ``split`` is missing, and ProdgenError for an invalid size,
    number of channels or data set.
    """
    if size is not None and not MIN_SIZE <= size <= MAX_SIZE:
        raise ProdgenError(f"size {size} is not from {MIN_SIZE} to {MAX_SIZE}", param="size")
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
            f"{path} holds images of {width}x{height} pixels; name a size to which their centre square is "
            "resized",
            param="size",
        )
    images = centre_crop_all(catalogue.images, size, channels)
    return Catalogue(images, catalogue.labels, catalogue.values)


def kind(path: Path) -> str:
    """Return the format of a folder: ``prepared``, ``idx``, ``cifar-10`` or ``folder`` (of pictures)."""
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
    """Return the splits that the folder has, of ``train``, ``validation`` and ``test``."""
    return _SPLITS[kind(path)](path)
