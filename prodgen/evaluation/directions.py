"""Find directions in the space of latent vectors that change a measured property of a model's images."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from prodgen.generation.coverage import cut_out
from prodgen.generation.forward import latents
from prodgen.models import SavedModel
from prodgen.models.condition import encode
from prodgen.reproducible import reproducible
from prodgen.spec.colour import levels
from prodgen.spec.directions import Direction

LEAST_R2, LEAST_RIGHT, MOST_ALIKE = 0.25, 0.9, 0.7
"""Limits for a direction to be offered, as shares of 1.

`LEAST_R2`: the least share of the property's variance, beyond the part that attributes explain, that the
direction explains. `LEAST_RIGHT`: the least share of images that change as the direction says. `MOST_ALIKE`:
the largest cosine between the direction and a better direction.
"""
HELD_OUT = 0.25
"""The share of the images that test a direction and do not help to find it."""
_BATCH = 64


class Found(NamedTuple):
    """A fitted direction. ``fault``: why the direction is not offered, or None.

    ``deviation``: standard deviation, between images, of the part of the property that attributes do not
    explain.
    """

    direction: Direction
    deviation: float
    fault: str | None


def find_directions(
    model: SavedModel, count: int, progress: Callable[[str, int, int], None] = lambda *_: None
) -> list[Found]:
    """Fit a direction to ``count`` images for each property that `measure` returns. The best come first.

    A linear regression predicts the property from the condition and the latent vector. The direction is the
    vector of the weights of the latent vector, scaled to length 1. Calls ``progress`` with the name of the
    work, the finished part and the whole.
    """
    attributes = model.config.attributes.resolve([{}] * count, [0] * count, range(count))
    condition = encode(model.generator.schema, attributes)
    z = latents(0, range(count), model.config.latent_dim)
    known = torch.cat([torch.ones(count, 1), condition], 1).double()
    everything = torch.cat([known, z.double()], 1)
    measured = _measured(model, z, condition, lambda done: progress("Making images", done, count))
    seen = count - int(count * HELD_OUT)
    taken = {attribute.name for attribute in model.config.attributes.attributes}
    found = []
    for place, (name, values) in enumerate(measured.items()):
        y = values.double()
        rest = (y - known @ _fit(known[:seen], y[:seen]))[seen:]
        weights = _fit(everything[:seen], y[:seen])
        left = (y - everything @ weights)[seen:]
        r2 = 1.0 - float(left.square().mean() / rest.square().mean())
        vector = (weights[-z.shape[1] :] / weights[-z.shape[1] :].norm()).float()
        back, on = (
            _measured(model, z[seen:] + step * vector, condition[seen:])[name] for step in (-1.0, 1.0)
        )
        right = float((on > back).double().mean() + (on == back).double().mean() / 2)
        effect = float((on - back).mean() / 2)
        rounded = tuple(round(value, 5) for value in vector.tolist())
        direction = Direction(
            name=name, effect=round(effect, 4), right=round(right, 3), r2=round(r2, 3), vector=rounded
        )
        found.append(
            Found(direction, float(rest.std()), "an attribute has its name" if name in taken else None)
        )
        progress("Trying directions", place + 1, len(measured))
    return _judge(sorted(found, key=lambda one: -one.direction.r2))


def _judge(found: list[Found]) -> list[Found]:
    """Set ``fault`` for each direction that is not offered. ``found``: sorted, the best direction first."""
    offered: list[Direction] = []
    judged = []
    for one in found:
        alike = next((o.name for o in offered if _cosine(o, one.direction) > MOST_ALIKE), None)
        fault = one.fault
        if fault is None and one.direction.r2 < LEAST_R2:
            fault = f"it explains less than {LEAST_R2:.0%} of the variance"
        if fault is None and one.direction.right < LEAST_RIGHT:
            fault = f"fewer than {LEAST_RIGHT:.0%} of the images change so"
        if fault is None and alike:
            fault = f"it is nearly the direction {alike}"
        if fault is None:
            offered.append(one.direction)
        judged.append(one._replace(fault=fault))
    return judged


def measure(images: Tensor, ground: str) -> dict[str, Tensor]:
    """Return properties of the products in ``images`` (B, C, H, W) in [-1, 1], each (B,).

    ``width`` and ``height`` of the product, as shares of the width and height of the image; ``area``: the
    share of the image that the product covers; ``flare``: by how much its lower half is wider than its upper
    half, as a share of the image's width; ``lightness``: its mean level, from 0 to 1; ``symmetry``: 1 if the
    product equals its mirror image. ``ground``: the colour around the product.
    """
    channels = 1 if images.shape[1] == 1 else 3
    colour = torch.tensor([level / 255.0 for level in levels(ground)][:channels], device=images.device)
    layers = cut_out((images.float() + 1.0) / 2.0, colour.view(1, -1, 1, 1))
    coverage, inside = layers[:, -1], layers[:, -1] > 0.5
    rows, covered = inside.any(2), coverage.sum((1, 2)).clamp(min=1.0)
    widths, place = inside.float().mean(2), rows.cumsum(1) / rows.sum(1, keepdim=True).clamp(min=1)
    upper = (rows & (place <= 0.5)).float()
    lower = rows.float() - upper
    halves = [(widths * half).sum(1) / half.sum(1).clamp(min=1.0) for half in (lower, upper)]
    return {
        "width": inside.any(1).float().mean(1),
        "height": rows.float().mean(1),
        "area": coverage.mean((1, 2)),
        "flare": halves[0] - halves[1],
        "lightness": layers[:, :-1].mean(1).sum((1, 2)) / covered,
        "symmetry": 1.0 - (coverage - coverage.flip(2)).abs().sum((1, 2)) / (2.0 * covered),
    }


def _measured(
    model: SavedModel, z: Tensor, condition: Tensor, done: Callable[[int], None] = lambda _: None
) -> dict[str, Tensor]:
    """Make the images of latents ``z`` (B, latent_dim) and conditions (B, D); return their properties.

    Calls ``done`` with the number of images made so far.
    """
    device = next(model.generator.parameters()).device
    parts = []
    with torch.inference_mode(), reproducible():
        for start in range(0, len(z), _BATCH):
            part = slice(start, start + _BATCH)
            images = model.generator(z[part].to(device), condition[part].to(device))
            parts.append(measure(images, model.config.ground))
            done(min(start + _BATCH, len(z)))
    return {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}


def _fit(inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the weights (D,) with which ``inputs`` (N, D) best predict ``targets`` (N,).

    "Best" is the least squared error; of equally good weights, returns the shortest vector.
    """
    return torch.linalg.lstsq(inputs, targets[:, None], driver="gelsd").solution[:, 0]


def _cosine(a: Direction, b: Direction) -> float:
    return abs(sum(x * y for x, y in zip(a.vector, b.vector, strict=True)))
