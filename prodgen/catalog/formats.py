"""Open a data set as a catalogue, after recognising its format by its folder's content."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from prodgen.catalog.attributes_table import find_table, list_table
from prodgen.catalog.catalogue import Catalogue, encode_labels
from prodgen.catalog.cifar import cifar_splits, load_cifar
from prodgen.catalog.held_out import hold_out
from prodgen.catalog.idx import idx_classes, idx_splits, load_idx
from prodgen.catalog.listing import SPLITS, Listing, Picture, list_folders
from prodgen.catalog.picture_files import (
    MODES,
    Progress,
    centre_crop_all,
    first_names,
    printable,
    read_pictures,
)
from prodgen.catalog.prepared_catalogue import is_prepared, load_prepared, prepared_splits
from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.order import RESERVED
from prodgen.spec.spelling import fold

MIN_SIZE, MAX_SIZE = 8, 1024
"""Smallest and largest side, in pixels, of the images of `open_catalogue`."""
SIZE, CHANNELS = 64, 3
"""Default side, in pixels, and number of channels of the images made from a folder of pictures."""
MIN_PICTURES = 2
"""Least number of pictures in a split, and of pictures with each attribute value in the training split."""
MAX_VALUE_LENGTH = 200
"""Largest number of characters of an attribute value; orders have the same limit."""


def open_catalogue(
    path: Path,
    split: str = "train",
    *,
    size: int | None = None,
    channels: int | None = None,
    progress: Progress | None = None,
) -> Catalogue:
    """Open one split of the data set in the folder ``path`` as (N, size, size, channels) bytes.

    By default, a data set keeps its own size and channels, but a folder of pictures is read as 64 x 64 pixels
    in 3 channels. A prepared catalogue has premultiplied RGBA. ``progress`` is called for each picture of a
    folder. Raises NotFound for a missing split, and ProdgenError for an invalid size, channels or data set.
    """
    if size is not None and not MIN_SIZE <= size <= MAX_SIZE:
        raise ProdgenError(f"size {size} is not from {MIN_SIZE} to {MAX_SIZE}", param="size")
    if channels is not None and channels not in MODES:
        raise ProdgenError(f"channels {channels} is none of {', '.join(map(str, MODES))}", param="channels")
    found, there = kind(path), splits(path)
    if split not in there:
        raise NotFound(f"{printable(path)} has no split {split!r}; it has {', '.join(there)}", param="split")
    if found == "folder":
        return load_folder(path, split, size=size or SIZE, channels=channels or CHANNELS, progress=progress)
    if found == "prepared":
        prepared = load_prepared(path, split, size=size, channels=channels)
        check_names(prepared.values)
        return prepared
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
    """Return which of ``train``, ``validation`` and ``test`` the data set in the folder ``path`` has."""
    return _SPLITS[kind(path)](path)


def load_folder(
    folder: Path,
    split: str = "train",
    *,
    size: int = SIZE,
    channels: int = CHANNELS,
    progress: Progress | None = None,
) -> Catalogue:
    """Load one split of a folder of pictures as (N, size, size, channels) bytes with attributes.

    The layout is ``{category}/``, ``{train,validation,test}/{category}/``, a table of attributes, or loose
    pictures without attributes. Raises ProdgenError if pictures are unreadable or too few.
    """
    listing = list_pictures(folder)
    chosen = [picture for picture in listing.pictures if picture.split == split]
    if len(chosen) < MIN_PICTURES:
        raise ProdgenError(
            f"{printable(folder)} has {len(chosen)} picture in {split}; it needs at least {MIN_PICTURES}"
        )
    if split == "train":
        _check_trainable(folder, listing.values, chosen)
    images = read_pictures(folder, [picture.file for picture in chosen], size, channels, progress)
    labels = encode_labels(listing.values, [picture.known for picture in chosen])
    return Catalogue(images, labels, listing.values)


def list_pictures(folder: Path) -> Listing:
    """List a folder's pictures by its table or subfolders; raises ProdgenError for invalid names or values.

    If the folder names no splits, some of its pictures are held out as the split ``test``.
    """
    table = find_table(folder)
    pictures, values, _ = list_table(table) if table else list_folders(folder)
    check_names(values)
    for name, listed in values.items():
        _check_values(folder, name, listed)
    if any(picture.split for picture in pictures):
        return Listing(pictures, values)
    divided = hold_out(pictures)
    return Listing(divided, values, sum(picture.split == "test" for picture in divided))


def _picture_splits(folder: Path) -> list[str]:
    """Return the splits for which a folder has pictures, in the order of SPLITS."""
    there = {picture.split for picture in list_pictures(folder).pictures}
    return [split for split in SPLITS if split in there]


def check_names(names: Iterable[str]) -> None:
    """Raise ProdgenError for a name in RESERVED, or for two names that orders cannot tell apart."""
    listed = [*names]
    for name in listed:
        if fold(name) in RESERVED:
            raise ProdgenError(
                f"an attribute cannot be called {name!r}, because orders have a field or column of that "
                f"name; rename it, for instance to product_{name}"
            )
    _check_spellings("there are attributes", listed)


def _check_values(folder: Path, name: str, values: Sequence[str]) -> None:
    for value in values:
        if not value or not value.isprintable() or len(value) > MAX_VALUE_LENGTH:
            raise ProdgenError(
                f"{printable(folder)} has a {name} {printable(value)[:MAX_VALUE_LENGTH]!r}; it should be at "
                f"most {MAX_VALUE_LENGTH} characters that can be printed"
            )
    _check_spellings(f"{printable(folder)} has {name}", values)


def _check_spellings(what: str, names: Iterable[str]) -> None:
    """Raise ProdgenError for two names that orders, which ignore case, cannot tell apart."""
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(fold(name), name)
        if other != name:
            raise ProdgenError(f"{what} {other!r} and {name!r}; write both alike")


def _check_trainable(folder: Path, values: dict[str, tuple[str, ...]], pictures: Sequence[Picture]) -> None:
    counts = Counter(pair for picture in pictures for pair in picture.known.items())
    few = [
        f"{name} {value!r} has {counts[name, value] or 'none'}"
        for name, listed in values.items()
        for value in listed
        if counts[name, value] < MIN_PICTURES
    ]
    if few:
        raise ProdgenError(
            f"{len(few)} of the values in {printable(folder)} have fewer than {MIN_PICTURES} pictures to "
            f"train on: {first_names(few)}; add pictures, or remove the values"
        )


_SPLITS = {
    "prepared": prepared_splits,
    "idx": idx_splits,
    "cifar-10": cifar_splits,
    "folder": _picture_splits,
}
