"""A folder is opened as training would, and summed up."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.catalog.folder import CHANNELS, SIZE, list_pictures
from prodgen.catalog.formats import kind, open_catalogue, splits
from prodgen.datasets.summary import AttributeCounts, Summary
from prodgen.errors import ProdgenError

Report = Callable[[str, int, int | None], None]
"""Hears (what is being done, how much of it, of how much)."""


def summarise(folder: Path, report: Report) -> Summary:
    """What the folder holds; every split is read whole.

    Photographs that cannot be trained on as they are have a ``flaw`` that says why: they may be prepared.
    Raises ProdgenError for other data that cannot be trained on.
    """
    try:
        return _read(folder, report)
    except ProdgenError as error:
        if kind(folder) != "folder" or "train" not in splits(folder):
            raise
        return _listed(folder, str(error))


def _listed(folder: Path, flaw: str) -> Summary:
    """What can be known of photographs without reading them."""
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


def _read(folder: Path, report: Report) -> Summary:
    train = _open(folder, "train", report)
    others = [split for split in splits(folder) if split != "train"]
    images = {split: len(_open(folder, split, report)) for split in others}
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
    """How often each value of each attribute that has values occurs."""
    return {
        name: AttributeCounts(
            values=dict(zip(values, catalogue.counts(name).tolist(), strict=True)),
            unknown=int((catalogue.labels[name] == UNKNOWN).sum()),
        )
        for name, values in catalogue.values.items()
    }


def _open(folder: Path, split: str, report: Report) -> Catalogue:
    catalogue = open_catalogue(folder, split, progress=partial(report, f"Reading {split}"))
    if not len(catalogue):
        raise ProdgenError(f"{folder} has no image in {split}")
    return catalogue
