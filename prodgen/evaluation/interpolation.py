"""Images between two latents: a generator that has learned a space, not a list, changes them smoothly."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prodgen.evaluation.pixels import to_bytes
from prodgen.evaluation.samples import kinds
from prodgen.generation.latents import latents
from prodgen.models import SavedModel
from prodgen.models.condition import encode
from prodgen.spec.image import ImageRequest, resolve

STEPS = 9


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Latents (D,) twice, t: (S,) in [0, 1] -> (S, D) on the arc from ``a`` to ``b`` (White 2016).

    Their length goes evenly from one to the other: a straight line would pass near the origin, where a
    normal latent never lies.
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
    """Conditions, one of each of the first choice's first ten values, and bytes (rows, 9, H, W, C).

    Of a model without choices there are ten rows of whatever is drawn.
    """
    schema = model.config.attributes
    asked = kinds(schema)
    resolved = resolve(schema, [ImageRequest(k, seed, k, a) for k, a in enumerate(asked)])
    conditions = [request.attributes for request in resolved]
    ends = latents(seed, range(2 * len(asked)), model.config.latent_dim)
    steps = torch.linspace(0, 1, STEPS)
    rows = [
        model.generator(slerp(a, b, steps).to(device), encode(schema, [c] * STEPS).to(device))
        for a, b, c in zip(ends[::2], ends[1::2], conditions, strict=True)
    ]
    return conditions, np.stack([to_bytes(row) for row in rows])
