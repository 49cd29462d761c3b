"""A catalogue and a generator that are small enough to be evaluated in a test."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prodgen.attributes import AttributeSchema
from prodgen.catalog.catalogue import Catalogue
from prodgen.models import SavedModel
from tests.toys import toy_model

VALUES = ("top", "middle", "bottom")


def bars(count: int = 240, seed: int = 0, size: int = 8) -> Catalogue:
    """Each category is a bright bar in a row of its own, with noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(VALUES)
    images = rng.integers(0, 60, (count, size, size, 1)).astype(np.uint8)
    images[np.arange(count), labels * 3] += 160
    return Catalogue(images, {"category": labels}, {"category": VALUES})


def with_labels(catalogue: Catalogue, labels: NDArray[np.int64]) -> Catalogue:
    """The same images under other labels."""
    return Catalogue(catalogue.images, {"category": labels}, catalogue.values)


def toy(folder: Path, schema: AttributeSchema | None = None) -> SavedModel:
    """A generator of random weights that can be asked for the bars."""
    return toy_model(folder, size=8, schema=schema or bars().schema())
