"""Summarise the data set in a folder. The summary is stored, so that the files need not be opened again."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.catalog.formats import CHANNELS, SIZE, kind, list_pictures, open_catalogue, splits
from prodgen.errors import ProdgenError

OnProgress = Callable[[str, int, int | None], None]
"""Called with (the name of the step, the amount done, the total amount, or None if the total is unknown)."""
Count = Annotated[int, Field(ge=0, le=10**9)]
Side = Annotated[int, Field(ge=1, le=10**6)]


class AttributeCounts(BaseModel):
    """For one attribute: the number of training images with each value, and without a known value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: dict[str, Count]
    unknown: Count


class Summary(BaseModel):
    """The content of a data set: the number of ``images`` by split, ``size`` as (width, height) in pixels.

    A data set of the kind ``folder`` can be read at any size and number of channels; its summary has the
    default size and channels. ``colours``: the names of the attributes that are CIELAB colours, which have no
    values to count. ``flaw``: why photographs must be prepared before training; None if they need not be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["prepared", "idx", "cifar-10", "folder"]
    images: dict[Literal["train", "validation", "test"], Annotated[Count, Field(ge=1)]]
    size: tuple[Side, Side]
    channels: Literal[1, 3, 4]
    attributes: dict[str, AttributeCounts]
    colours: tuple[str, ...] = ()
    flaw: str | None = Field(default=None, max_length=2000)

    @model_validator(mode="after")
    def _check_train_split(self) -> Self:
        if "train" not in self.images:
            raise ValueError("images has no split 'train', so there is nothing to train on")
        return self


def summarise(folder: Path, on_progress: OnProgress) -> Summary:
    """Read every split of the data set in ``folder`` and return a summary of the data set.

    If photographs must be prepared before training, ``flaw`` in the summary says why. Raises ProdgenError if
    other data cannot be used for training.
    """
    try:
        return _read(folder, on_progress)
    except ProdgenError as error:
        if kind(folder) != "folder" or "train" not in splits(folder):
            raise
        return _summarise_listing(folder, str(error))


def _summarise_listing(folder: Path, flaw: str) -> Summary:
    """Summarise photographs from their file names and table of attributes, without reading the pictures."""
    pictures, values, _ = list_pictures(folder)
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
    """Return, for each attribute with a fixed set of values, how many images have each value."""
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
