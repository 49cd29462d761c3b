"""The real images of an evaluation: the training and the test split, with the attributes of the model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.catalog.formats import kind, open_catalogue, splits
from prodgen.errors import NotFound, ProdgenError
from prodgen.evaluation.compatibility import TEST_SPLIT, check_attributes, check_shape, no_test_split
from prodgen.spec.attributes import AttributeSchema, ContinuousColour
from prodgen.spec.colour import to_hex
from prodgen.spec.model_config import ModelConfig

OnProgress = Callable[[str, int, int | None], None]
"""Takes the name of the work, the finished part of it, and the whole (None if unknown)."""


def silent(work: str, done: int, total: int | None) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Splits:
    """The training and the test split, reduced to the model's attributes. Values have the model's order."""

    train: Catalogue
    test: Catalogue

    @classmethod
    def matching(cls, config: ModelConfig, train: Catalogue, test: Catalogue) -> Self:
        """Return the splits for a model. Raises ProdgenError if images or values do not match the model."""
        for name, split in (("training", train), ("test", test)):
            if not len(split):
                raise ProdgenError(f"the {name} split of the data has no images", param="data")
            height, width, channels = split.images.shape[1:]
            check_shape(config.size, config.channels, f"the {name} split", width, height, channels)
        check_attributes(config.attributes, train.values, train.colours)
        return cls(with_schema(config.attributes, train), with_schema(config.attributes, test))


def read_splits(
    data: Path, config: ModelConfig, resize: bool, on_progress: OnProgress = silent
) -> list[Catalogue]:
    """Read the training and the test split of a folder. Raises NotFound if there is no test split.

    Photographs are read at the model's size, as in training. Images of IDX and CIFAR files keep their own
    size unless ``resize`` is true.
    """
    there = splits(data)
    if TEST_SPLIT not in there:
        raise NotFound(no_test_split(str(data), there), param="data")
    fitted = resize or kind(data) not in ("idx", "cifar-10")
    size, channels = (config.size, config.channels) if fitted else (None, None)
    return [
        open_catalogue(
            data, split, size=size, channels=channels, progress=partial(on_progress, f"Reading {split}")
        )
        for split in ("train", TEST_SPLIT)
    ]


def with_schema(schema: AttributeSchema, catalogue: Catalogue) -> Catalogue:
    """Return the catalogue with the schema's attributes. Each label is an index into the schema's values.

    Values that the schema does not have become UNKNOWN.
    """
    labels = {}
    for attribute in schema.choices:
        index = {value: k for k, value in enumerate(attribute.values)}
        indices = [index.get(value, UNKNOWN) for value in catalogue.values.get(attribute.name, ())]
        unknown = np.full(len(catalogue), UNKNOWN, np.int64)
        # The label UNKNOWN is -1, so it selects the last entry, which is UNKNOWN too.
        labels[attribute.name] = np.array([*indices, UNKNOWN])[catalogue.labels.get(attribute.name, unknown)]
    unknown_colours = np.full((len(catalogue), 3), np.nan, np.float32)
    colours = {
        attribute.name: catalogue.colours.get(attribute.name, unknown_colours)
        for attribute in schema.attributes
        if isinstance(attribute, ContinuousColour)
    }
    return Catalogue(catalogue.images, labels, {a.name: a.values for a in schema.choices}, colours)


def subset(catalogue: Catalogue, rows: NDArray[np.int64] | slice) -> Catalogue:
    """Return the images at ``rows``, with their labels and colours."""
    labels = {name: numbers[rows] for name, numbers in catalogue.labels.items()}
    colours = {name: lab[rows] for name, lab in catalogue.colours.items()}
    return Catalogue(catalogue.images[rows], labels, catalogue.values, colours)


def attributes_of(catalogue: Catalogue, row: int) -> dict[str, str]:
    """Return the known attributes of the image at ``row``."""
    numbers = {name: int(numbers[row]) for name, numbers in catalogue.labels.items()}
    known = {name: catalogue.values[name][number] for name, number in numbers.items() if number != UNKNOWN}
    colours = {name: lab[row] for name, lab in catalogue.colours.items()}
    return known | {name: to_hex(lab) for name, lab in colours.items() if not np.isnan(lab).any()}
