"""Catalogues and a generator that are small enough to evaluate in a test."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import Catalogue
from prodgen.generation.encode import to_image
from prodgen.models import SavedModel
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.colour import to_lab
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


def glass(count: int = 240, seed: int = 0, size: int = 8) -> Catalogue:
    """Half transparent red bars before a transparent ground, premultiplied."""
    plain = bars(count, seed, size)
    solid = (plain.images[..., 0] > 100) * np.uint8(128)
    nothing = np.zeros_like(solid)
    return Catalogue(np.stack([solid, nothing, nothing, solid], -1), plain.labels, plain.values)


def coloured(count: int = 240, seed: int = 0) -> Catalogue:
    """Half transparent bars, each in its own colour, which is unknown for the first ten."""
    plain = glass(count, seed)
    colours = np.random.default_rng(seed).integers(0, 256, (count, 3))
    images = plain.images.copy()
    solid = images[..., 3] > 0
    images[..., :3] = (colours[:, None, None] * (128 / 255)).round() * solid[..., None]
    lab = to_lab(colours.astype(np.uint8)).astype(np.float32)
    lab[:10] = np.nan
    return Catalogue(images, plain.labels, plain.values, {"colour": lab})


def write_pictures(folder: Path, **splits: Catalogue) -> Path:
    """Write PNG files without a category, in a folder for each split."""
    for name, catalogue in splits.items():
        (folder / name).mkdir(parents=True)
        for k, pixels in enumerate(catalogue.images):
            to_image(pixels).save(folder / name / f"{k:03d}.png")
    return folder


def toy(folder: Path, schema: AttributeSchema | None = None, channels: int = 1) -> SavedModel:
    """A generator of random weights with the attributes of the bars."""
    return toy_model(folder, size=8, schema=schema or bars().schema(), channels=channels)
