"""Load a folder of pictures as a catalogue."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from prodgen.catalog.attributes_table import find_table, list_table
from prodgen.catalog.catalogue import Catalogue, encode_labels
from prodgen.catalog.listing import SPLITS, Listing, Picture, list_folders
from prodgen.catalog.picture_files import Progress, first_names, printable, read_pictures
from prodgen.errors import NotFound, ProdgenError

SIZE, CHANNELS = 64, 3
MIN_PICTURES = 2
"""Least number of pictures of a split, and of each value in the training split."""
MAX_VALUE_LENGTH = 200
"""Most characters of a value, which is the limit of an order too."""


def load_folder(
    folder: Path,
    split: str = "train",
    *,
    size: int = SIZE,
    channels: int = CHANNELS,
    progress: Progress | None = None,
) -> Catalogue:
    """Load one split of a folder of pictures, (N, size, size, channels), with its attributes.

    The layout is ``{category}/``, ``{train,validation,test}/{category}/``, a table of attributes, or loose
    pictures without attributes. Raises ProdgenError for unreadable pictures and too few of them.
    """
    listing = list_pictures(folder)
    chosen = [picture for picture in listing.pictures if picture.split == split]
    if not chosen:
        there = ", ".join(picture_splits(folder))
        raise NotFound(f"{printable(folder)} has no split {split!r}; it has {there}", param="split")
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
    """List a folder's pictures by its table or its subfolders; raises ProdgenError for invalid values."""
    table = find_table(folder)
    listing = list_table(table) if table else list_folders(folder)
    for name, values in listing.values.items():
        _check_values(folder, name, values)
    return listing


def picture_splits(folder: Path) -> list[str]:
    """Return the splits that have pictures, in the order of SPLITS."""
    there = {picture.split for picture in list_pictures(folder).pictures}
    return [split for split in SPLITS if split in there]


def _check_values(folder: Path, name: str, values: Sequence[str]) -> None:
    folded: dict[str, str] = {}
    for value in values:
        if not value.isprintable() or len(value) > MAX_VALUE_LENGTH:
            raise ProdgenError(
                f"{printable(folder)} has a {name} {printable(value)[:MAX_VALUE_LENGTH]!r}; it should be at "
                f"most {MAX_VALUE_LENGTH} characters that can be printed"
            )
        # Orders ignore case, so one of the two values could never be ordered.
        other = folded.setdefault(value.lower(), value)
        if other != value:
            raise ProdgenError(f"{printable(folder)} has {name} {other!r} and {value!r}; write both alike")


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
