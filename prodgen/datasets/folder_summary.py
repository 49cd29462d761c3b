"""Summarise the data set in a folder. The data set is opened in the same way as for training."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.catalog.formats import CHANNELS, SIZE, kind, list_pictures, open_catalogue, splits
from prodgen.datasets.summary import AttributeCounts, Summary
from prodgen.errors import ProdgenError

OnProgress = Callable[[str, int, int | None], None]
"""Called with (the name of the step, the amount done, the total amount or None if it is unknown)."""


def summarise(folder: Path, on_progress: OnProgress) -> Summary:
    """Read every split of the data set in ``folder`` and return a summary of the data set.

    If photographs must be prepared before training, the ``flaw`` of their summary says why. Raises
    ProdgenError for other data that cannot be trained on.
    """
    try:
        return _read(folder, on_progress)
    except ProdgenError as error:
        if kind(folder) != "folder" or "train" not in splits(folder):
            raise
        return _summarise_listing(folder, str(error))


def _summarise_listing(folder: Path, flaw: str) -> Summary:
    """Summarise photographs by their file names and their table of attributes, without reading the images."""
    pictures, values = list_pictures(folder)
    known = {name: Counter(p.known.get(name) for p in pictures if p.split == "train") for name in values}
    return Summary.model_validate(
        {
            "kind": "folder",
            "images": Counter(picture.split for picture in pictures),
            "size": (SIZE, SIZE),
            "channels": CHANNELS,
            "attributes": {
                name: {"values": {v: counts[v] for v in values[name]}, "unknown": counts[None]}
                for name, counts in known.items()
            },
            "flaw": flaw,
        }
    )


def _read(folder: Path, on_progress: OnProgress) -> Summary:
    train = _open(folder, "train", on_progress)
    others = [split for split in splits(folder) if split != "train"]
    images = {split: len(_open(folder, split, on_progress)) for split in others}
    _, height, width, channels = train.images.shape
    return Summary.model_validate(
        {
            "kind": kind(folder),
            "images": {"train": len(train), **images},
            "size": (width, height),
            "channels": channels,
            "attributes": count_values(train),
            "colours": tuple(train.colours),
        }
    )


def count_values(catalogue: Catalogue) -> dict[str, AttributeCounts]:
    """Count the images with each value of each attribute that has a fixed set of values."""
    return {
        name: AttributeCounts(
            values=dict(zip(values, catalogue.counts(name).tolist(), strict=True)),
            unknown=int((catalogue.labels[name] == UNKNOWN).sum()),
        )
        for name, values in catalogue.values.items()
    }


def _open(folder: Path, split: str, on_progress: OnProgress) -> Catalogue:
    catalogue = open_catalogue(folder, split, progress=partial(on_progress, f"Reading {split}"))
    if not len(catalogue):
        raise ProdgenError(f"{folder} has no image in {split}")
    return catalogue
