"""A folder of pictures as a catalogue."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.catalog.listing import SPLITS, Listing, Picture, list_folders
from prodgen.catalog.pictures import Progress, first, read_pictures, shown
from prodgen.catalog.table import find_table, list_table
from prodgen.errors import NotFound, ProdgenError

SIZE, CHANNELS = 64, 3
LEAST = 2
"""Pictures of a split, and of each value in the training split."""
LONGEST = 200
"""Characters of a value: as many as an order may write."""


def load_folder(
    folder: Path,
    split: str = "train",
    *,
    size: int = SIZE,
    channels: int = CHANNELS,
    progress: Progress | None = None,
) -> Catalogue:
    """One split of a folder of pictures, (N, size, size, channels), with its attributes.

    Laid out as ``{category}/``, as ``{train,validation,test}/{category}/``, with a table of attributes, or
    just pictures (no attributes). Raises ProdgenError for what cannot be read or learnt from.
    """
    listing = list_pictures(folder)
    chosen = [picture for picture in listing.pictures if picture.split == split]
    if not chosen:
        there = ", ".join(splits_of(listing))
        raise NotFound(f"{shown(folder)} has no split {split!r}; it has {there}", param="split")
    if len(chosen) < LEAST:
        raise ProdgenError(f"{shown(folder)} has {len(chosen)} picture in {split}; it needs at least {LEAST}")
    if split == "train":
        _check_trainable(folder, listing.values, chosen)
    images = read_pictures(folder, [picture.file for picture in chosen], size, channels, progress)
    labels = {name: _labels(name, values, chosen) for name, values in listing.values.items()}
    return Catalogue(images, labels, listing.values)


def list_pictures(folder: Path) -> Listing:
    """What the folder holds, by its table or its folders; raises ProdgenError for values that cannot be."""
    table = find_table(folder)
    listing = list_table(table) if table else list_folders(folder)
    for name, values in listing.values.items():
        _check_values(folder, name, values)
    return listing


def splits_of(listing: Listing) -> list[str]:
    """The splits that have pictures."""
    there = {picture.split for picture in listing.pictures}
    return [split for split in SPLITS if split in there]


def _labels(name: str, values: Sequence[str], pictures: Sequence[Picture]) -> np.ndarray:
    number = {value: k for k, value in enumerate(values)}
    return np.array([number.get(p.known.get(name, ""), UNKNOWN) for p in pictures], np.int64)


def _check_values(folder: Path, name: str, values: Sequence[str]) -> None:
    folded: dict[str, str] = {}
    for value in values:
        if not value.isprintable() or len(value) > LONGEST:
            raise ProdgenError(
                f"{shown(folder)} has a {name} {shown(value)[:LONGEST]!r}; it should be at most {LONGEST} "
                "characters that can be printed"
            )
        # Orders do not tell capitals from small letters, so one of the two could never be asked for.
        other = folded.setdefault(value.lower(), value)
        if other != value:
            raise ProdgenError(f"{shown(folder)} has {name} {other!r} and {value!r}; write both alike")


def _check_trainable(folder: Path, values: dict[str, tuple[str, ...]], pictures: Sequence[Picture]) -> None:
    counts = Counter(pair for picture in pictures for pair in picture.known.items())
    few = [
        f"{name} {value!r} has {counts[name, value] or 'none'}"
        for name, listed in values.items()
        for value in listed
        if counts[name, value] < LEAST
    ]
    if few:
        raise ProdgenError(
            f"{len(few)} of the values in {shown(folder)} have fewer than {LEAST} pictures to train on: "
            f"{first(few)}; add pictures, or take the values out"
        )
