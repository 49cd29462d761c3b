"""How well an autoencoder gives real images back."""

from dataclasses import dataclass

import numpy as np
import torch

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.evaluation.classifier import to_tensor
from prodgen.evaluation.pixels import to_bytes
from prodgen.evaluation.splits import attributes_of, subset
from prodgen.models import SavedModel
from prodgen.models.condition import encode

BATCH = 100


@dataclass(frozen=True)
class Reconstruction:
    """``squared``: mean squared error of pixels in [0, 1]; ``absolute``: mean error in levels of 255."""

    originals: Catalogue
    images: Catalogue
    squared: float
    absolute: float


def reconstructs(model: SavedModel) -> bool:
    """Whether the model's generator can: it is a VAE's, with its encoder."""
    return hasattr(model.generator, "reconstruct")


@torch.inference_mode()
def reconstruction(model: SavedModel, test: Catalogue, device: str = "cpu") -> Reconstruction | None:
    """The test images of which every attribute is known, encoded and decoded; None if there is none."""
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
