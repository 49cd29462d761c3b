"""The quality gate: measure the colours of generated products, and make products of wrong colour again."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from kornia.color import rgb_to_lab
from torch import Tensor

from prodgen.generation.forward import Forward
from prodgen.models import SavedModel
from prodgen.spec.colour import delta_e_2000, levels, to_lab
from prodgen.spec.order import ImageRequest, Mix, resolve_attributes
from prodgen.spec.quality import NOTHING, Gated, Quality, chosen_attempt, gated_attribute

MEASURED, SHARE = 200, 0.9
"""Number of images that measure a threshold, and the share of these images that the threshold lets pass."""
Make = Callable[[Sequence[ImageRequest]], Tensor]
"""Generates images (B, 4, H, W) in [-1, 1]."""


@torch.inference_mode()
def colour_distances(model: SavedModel, images: Sequence[ImageRequest], x: Tensor) -> list[float]:
    """Return the CIEDE2000 difference of each product's mean colour from the requested colour.

    ``x``: the generated ``images`` (B, 4, H, W) in [-1, 1], premultiplied, on any device. Rounds to
    hundredths. Raises ValueError if the model has no colour that can be measured.
    """
    name = gated_attribute(model.config.attributes, model.config.channels)
    if name is None:
        raise ValueError(f"{model.id} has no colour that can be measured")
    layers = (x.float() + 1.0) / 2.0
    alpha = layers[:, 3:].clamp(0, 1)
    lab = rgb_to_lab((layers[:, :3] / alpha.clamp(min=1e-3)).clamp(0, 1))
    means = ((lab * alpha).sum((2, 3)) / alpha.sum((2, 3))).double().cpu().numpy()
    mixes = [image.mix or Mix(seed=0, draw=0, attributes=image.attributes) for image in images]
    own, other = (
        to_lab(np.array([levels(one.attributes[name]) for one in several], np.uint8))
        for several in (images, mixes)
    )
    shares = np.array([mix.share for mix in mixes])[:, None]  # conditions are mixed in CIELAB, too
    found = np.nan_to_num(delta_e_2000(means, own + shares * (other - own)), nan=NOTHING)
    return [round(float(distance), 2) for distance in found]


def pass_gate(
    model: SavedModel, quality: Quality, images: Sequence[ImageRequest], x: Tensor, make: Make
) -> tuple[list[ImageRequest], Tensor]:
    """Return each image and its pixels (B, 4, H, W), from the attempt that the gate chooses.

    ``x``: the pixels (B, 4, H, W) of the first attempts. ``make`` generates the next attempt of all images
    that need one.
    """
    threshold = quality.colour_distance
    distances = [[distance] for distance in colour_distances(model, images, x)]
    taken, pixels = list(images), x.clone()
    while again := [k for k, made in enumerate(distances) if chosen_attempt(made, threshold) is None]:
        tries = [replace(images[k], attempt=images[k].attempt + len(distances[k])) for k in again]
        y = make(tries)
        for k, image, new, distance in zip(again, tries, y, colour_distances(model, tries, y), strict=True):
            if distance < min(distances[k]):
                taken[k], pixels[k] = image, new
            distances[k].append(distance)
    gated = (Gated(threshold=threshold, colour_distances=tuple(made)) for made in distances)
    return [replace(image, gated=one) for image, one in zip(taken, gated, strict=True)], pixels


def measure_quality(model: SavedModel) -> Quality:
    """Return the threshold that nine of ten images of a model pass at the first attempt."""
    schema = model.config.attributes
    images = resolve_attributes(schema, [ImageRequest(k, 0, k, {}) for k in range(MEASURED)])
    forward = Forward(next(model.generator.parameters()).device.type)
    distances = measure_generated(model, forward, images, 1.0)
    return Quality(colour_distance=max(0.01, round(float(np.quantile(distances, SHARE)), 2)))


def measure_generated(
    model: SavedModel, forward: Forward, images: Sequence[ImageRequest], truncation: float
) -> list[float]:
    """Generate images in batches, and return their `colour_distances`."""
    distances, batch = list[float](), forward.batch(model)
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        distances += colour_distances(model, part, forward(model, part, [truncation] * len(part)))
    return distances
