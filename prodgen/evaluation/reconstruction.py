"""Measures how well an autoencoder restores real images."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.evaluation.accuracy import agreement_figure
from prodgen.evaluation.classifier import to_tensor
from prodgen.evaluation.context import PIXELS, Context, Measurement
from prodgen.evaluation.pictures import Row, image_table, picture, to_bytes
from prodgen.evaluation.splits import attributes_of, subset
from prodgen.models import SavedModel
from prodgen.models.condition import encode

BATCH = 100
PAIRS, PAIR_ROWS = 4, 10


class Reconstruction(NamedTuple):
    """Test images, ``originals``, and their reconstructions, ``images``, in the same order."""

    originals: Catalogue
    images: Catalogue
    squared: float
    """Mean squared error of pixels in [0, 1]."""
    absolute: float
    """Mean absolute error in levels of 255."""


@torch.inference_mode()
def reconstruction(model: SavedModel, test: Catalogue, device: str = "cpu") -> Reconstruction | None:
    """Encode and decode the test images whose attributes are all known.

    Returns None if there are no such images, or if the model has no encoder.
    """
    if not hasattr(model.generator, "reconstruct"):
        return None
    known = np.ones(len(test), bool)
    for numbers in test.labels.values():
        known &= numbers != UNKNOWN
    for lab in test.colours.values():
        known &= ~np.isnan(lab).any(1)
    originals = subset(test, np.flatnonzero(known))
    if not len(originals):
        return None
    parts = []
    for start in range(0, len(originals), BATCH):
        rows = range(start, min(start + BATCH, len(originals)))
        x = to_tensor(torch.from_numpy(originals.images[start : rows.stop])).to(device)
        condition = encode(model.config.attributes, [attributes_of(originals, row) for row in rows])
        parts.append(to_bytes(model.generator.reconstruct(x, condition.to(device))))
    images = Catalogue(np.concatenate(parts), originals.labels, originals.values, originals.colours)
    error = (images.images.astype(np.float32) - originals.images) / 255.0
    return Reconstruction(
        originals, images, float(np.square(error).mean()), float(np.abs(error).mean() * 255.0)
    )


def reconstructed(context: Context) -> Measurement:
    """Measure and show reconstructions of test images. Returns no figures if the model has no encoder."""
    found = reconstruction(context.model, context.splits.test, context.device)
    if found is None:
        return Measurement()
    count = len(found.images)
    pixels = {"features": "pixels", "resizer": PIXELS, "real_count": count, "generated_count": count}
    titles = {
        "mse": ("reconstruction: mean squared error of pixels in [0, 1]", found.squared),
        "mae": ("reconstruction: mean absolute error in levels of 255", found.absolute),
    }
    figures = {
        f"reconstruction_{name}": context.figure(title, error, 0.0, "lower", **pixels)
        for name, (title, error) in titles.items()
    }
    if attribute := context.main_attribute:
        title = f"reconstruction: agreement with the original's {attribute}"
        figure = agreement_figure(context, title, attribute, found.images, found.originals)
        figures["reconstruction_agreement"] = figure
    return Measurement(figures, {"reconstructions.png": _picture(found, attribute)})


def _picture(found: Reconstruction, attribute: str | None) -> Image.Image:
    title = (
        "Real test images, each with its reconstruction to the right\n"
        "The model makes the right image from the code and the attributes of the left one."
    )
    rows = []
    for name, places in _shown(found.originals, attribute):
        pairs = [(found.originals.images[i], found.images.images[i]) for i in places[:PAIRS]]
        rows.append(Row(name, [picture(pixels) for pair in pairs for pixels in pair]))
    return image_table(title, ["real", "rebuilt"] * PAIRS, rows)


def _shown(images: Catalogue, attribute: str | None) -> list[tuple[str, NDArray[np.int64]]]:
    """Return the label of each row of the picture, and the indices of the images that the row may show."""
    if attribute is None:
        places = np.arange(min(len(images), PAIRS * PAIR_ROWS))
        return [("", places[k : k + PAIRS]) for k in range(0, len(places), PAIRS)]
    values = images.values[attribute][:PAIR_ROWS]
    return [(value, np.flatnonzero(images.labels[attribute] == k)) for k, value in enumerate(values)]
