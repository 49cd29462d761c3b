"""Shows images between two latents. They change smoothly if the model has not just memorised images."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prodgen.evaluation.context import Context
from prodgen.evaluation.figure import Measurement
from prodgen.evaluation.image_table import Row, image_table
from prodgen.evaluation.pixels import picture, to_bytes
from prodgen.evaluation.samples import one_of_each
from prodgen.generation.latents import latents
from prodgen.models import SavedModel
from prodgen.models.condition import encode
from prodgen.spec.order import ImageRequest, resolve_attributes

STEPS = 9


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return latents (S, D) on the arc from ``a`` to ``b`` (D,), at ``t`` (S,) in [0, 1] (White 2016).

    The length of the latents changes evenly along the arc. A straight line would pass near the origin, where
    normal latents do not lie.
    """
    direction_a, direction_b = a / a.norm(), b / b.norm()
    angle = torch.arccos((direction_a @ direction_b).clamp(-1, 1))
    t = t[:, None]
    if angle.sin() < 1e-6:
        return torch.lerp(a, b, t)
    arc = (torch.sin((1 - t) * angle) * direction_a + torch.sin(t * angle) * direction_b) / angle.sin()
    return arc * torch.lerp(a.norm(), b.norm(), t)


@torch.inference_mode()
def interpolations(
    model: SavedModel, seed: int, device: str = "cpu"
) -> tuple[list[dict[str, str]], NDArray[np.uint8]]:
    """Return the attributes of each row of images, and the images (rows, 9, H, W, C).

    In each row the latent moves from one random point to another. There is a row for each of the first ten
    values of the model's first attribute with listed values, or ten rows if the model has no such attribute.
    """
    schema = model.config.attributes
    asked = one_of_each(schema)
    resolved = resolve_attributes(schema, [ImageRequest(k, seed, k, a) for k, a in enumerate(asked)])
    attributes = [request.attributes for request in resolved]
    ends = latents(seed, range(2 * len(asked)), model.config.latent_dim)
    steps = torch.linspace(0, 1, STEPS)
    rows = [
        model.generator(slerp(a, b, steps).to(device), encode(schema, [c] * STEPS).to(device))
        for a, b, c in zip(ends[::2], ends[1::2], attributes, strict=True)
    ]
    return attributes, np.stack([to_bytes(row) for row in rows])


def interpolated(context: Context) -> Measurement:
    """Return a picture of images between pairs of latents. This measure has no figure."""
    attributes, images = interpolations(context.model, context.seed, context.device)
    title = (
        "From one latent to another with the same attributes\n"
        "Each row starts and ends with a generated image; between them the latent moves along an arc."
    )
    headings = ["start", *(f"{k}/{STEPS - 1}" for k in range(1, STEPS - 1)), "end"]
    rows = [
        Row(" ".join(values.values()), [picture(pixels) for pixels in row])
        for values, row in zip(attributes, images, strict=True)
    ]
    return Measurement(pictures={"interpolation.png": image_table(title, headings, rows)})
