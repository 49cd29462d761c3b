"""The real images of an evaluation: the training and the test split, in the model's own words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.catalog.formats import kind, open_catalogue, splits
from prodgen.errors import NotFound, ProdgenError
from prodgen.evaluation.comparable import SPLIT, check_attributes, check_shape, no_split
from prodgen.spec.attributes import AttributeSchema, ContinuousColour
from prodgen.spec.colour import to_hex
from prodgen.spec.model_config import ModelConfig


@dataclass(frozen=True)
class Splits:
    """Both with the attributes of the model alone, and its order of their values; none if it has none."""

    train: Catalogue
    test: Catalogue

    @classmethod
    def matching(cls, config: ModelConfig, train: Catalogue, test: Catalogue) -> Self:
        """Raises ProdgenError if the model makes images of another shape, or of other values."""
        for name, split in (("training", train), ("test", test)):
            if not len(split):
                raise ProdgenError(f"the {name} split of the data holds no image", param="data")
            height, width, channels = split.images.shape[1:]
            check_shape(config.size, config.channels, f"the {name} split", width, height, channels)
        check_attributes(config.attributes, train.values, train.colours)
        return cls(in_order_of(config.attributes, train), in_order_of(config.attributes, test))


def read_splits(data: Path, config: ModelConfig, resize: bool) -> list[Catalogue]:
    """The training and the test split. Photographs come at the model's size, as in training; images of data
    sets that have a size of their own keep it, unless they are to be resized.

    Raises NotFound if there is no test split.
    """
    there = splits(data)
    if SPLIT not in there:
        raise NotFound(no_split(str(data), there), param="data")
    fitted = resize or kind(data) not in ("idx", "cifar-10")
    size, channels = (config.size, config.channels) if fitted else (None, None)
    return [open_catalogue(data, split, size=size, channels=channels) for split in ("train", SPLIT)]


def in_order_of(schema: AttributeSchema, catalogue: Catalogue) -> Catalogue:
    """The catalogue with the schema's attributes, each label a number of the schema's values.

    What the schema does not know, and what the catalogue does not know of an image, is UNKNOWN.
    """
    labels = {}
    for attribute in schema.choices:
        place = {value: k for k, value in enumerate(attribute.values)}
        places = [place.get(value, UNKNOWN) for value in catalogue.values.get(attribute.name, ())]
        unknown = np.full(len(catalogue), UNKNOWN, np.int64)
        # The last place is for UNKNOWN, being -1, which numpy counts from the end.
        labels[attribute.name] = np.array([*places, UNKNOWN])[catalogue.labels.get(attribute.name, unknown)]
    unknown_colours = np.full((len(catalogue), 3), np.nan, np.float32)
    colours = {
        attribute.name: catalogue.colours.get(attribute.name, unknown_colours)
        for attribute in schema.attributes
        if isinstance(attribute, ContinuousColour)
    }
    return Catalogue(catalogue.images, labels, {a.name: a.values for a in schema.choices}, colours)


def subset(catalogue: Catalogue, rows: NDArray[np.int64] | slice) -> Catalogue:
    """Some of a catalogue's images."""
    labels = {name: numbers[rows] for name, numbers in catalogue.labels.items()}
    colours = {name: lab[rows] for name, lab in catalogue.colours.items()}
    return Catalogue(catalogue.images[rows], labels, catalogue.values, colours)


def attributes_of(catalogue: Catalogue, row: int) -> dict[str, str]:
    """What is known of one image, in words."""
    numbers = {name: int(numbers[row]) for name, numbers in catalogue.labels.items()}
    known = {name: catalogue.values[name][number] for name, number in numbers.items() if number != UNKNOWN}
    colours = {name: lab[row] for name, lab in catalogue.colours.items()}
    return known | {name: to_hex(lab) for name, lab in colours.items() if not np.isnan(lab).any()}
