"""Find the latent vector with which a generator draws a given picture (GAN inversion, Zhu et al. 2016)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from prodgen.generation.forward import Forward, latents
from prodgen.models import SavedModel
from prodgen.models.condition import encode
from prodgen.spec.redrawing import ENCODERS

STAGES = ((6, 10), (2, 20), (1, 60))
"""For each stage: the number of best candidates that continue, and the number of their steps."""
_RATE = 0.12
"""Learning rate of Adam at the first step of a stage; it falls to a tenth by half a cosine."""
_PRIOR = 0.0025
"""Weight of the latent's mean square in the loss. The mean squared error of pixels has weight 1.

The mean square of a random latent is about 1.
"""
_STARTS, _SPREAD = 4, 0.5
"""If a model has no encoder: starts per candidate, and standard deviation of a start's latent."""
_GRID = 1 / 1024
"""Found latents are multiples of this, so that marks repeat them exactly and in few characters."""


class Inversion(NamedTuple):
    """The result of `invert`: ``latent`` (latent_dim,) and ``attributes`` of a picture.

    ``start`` and ``distance``: root mean squared errors of pixels in [0, 1] before and after the steps.
    """

    latent: Tensor
    attributes: Mapping[str, str]
    start: float
    distance: float


def invert(
    forward: Forward,
    model: SavedModel,
    picture: Tensor,
    candidates: Sequence[Mapping[str, str]],
    seed: int = 0,
    draw: int = 0,
) -> Inversion:
    """Find the latent of a ``picture`` (C, size, size) in [-1, 1], and its attributes among ``candidates``.

    The latents of all candidates start at the encoder's latents or, without an encoder, at random places near
    the mean, which ``seed`` and ``draw`` choose. Adam lowers the error of the pixels and the length of the
    latents in stages; each stage continues only the best latents. Other work on the device waits for one step
    only.
    """
    if model.config.family not in ENCODERS:
        candidates = [one for one in candidates for _ in range(_STARTS)]
    target = picture.to(forward.device)[None]
    condition = encode(model.config.attributes, candidates).to(forward.device)
    with forward.exclusively(learning=True), torch.no_grad():
        z = _start(forward, model, target, condition, seed, draw)
    losses, errors = _measure(forward, model, z, condition, target)
    rows, first = torch.arange(len(candidates)), errors
    for count, steps in STAGES:
        best = losses.argsort(stable=True)[:count].cpu()
        rows, first, z, condition = rows[best], first[best], z[best], condition[best]
        z = _descend(forward, model, z, condition, target, steps)
        losses, errors = _measure(forward, model, z, condition, target)
    best = int(losses.argmin())
    z = (z[best : best + 1] / _GRID).round() * _GRID
    _, errors = _measure(forward, model, z, condition[best : best + 1], target)
    start, distance = float(first[best]) ** 0.5, float(errors[0]) ** 0.5
    return Inversion(z[0].cpu(), candidates[int(rows[best])], start, distance)


def _start(
    forward: Forward, model: SavedModel, target: Tensor, condition: Tensor, seed: int, draw: int
) -> Tensor:
    """Return a first latent for each condition (B, D), together (B, latent_dim)."""
    count = len(condition)
    if model.config.family in ENCODERS:
        found: Tensor = model.generator.find_latents(target.expand(count, -1, -1, -1), condition)  # type: ignore[operator]
        return found
    places = [row % _STARTS for row in range(count)]
    return latents(seed, [draw] * count, model.config.latent_dim, places).to(forward.device) * _SPREAD


def _descend(
    forward: Forward, model: SavedModel, z: Tensor, condition: Tensor, target: Tensor, steps: int
) -> Tensor:
    z = z.detach().clone().requires_grad_(True)
    adam = torch.optim.Adam([z], lr=_RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps, _RATE / 10)
    for _ in range(steps):
        with forward.exclusively(learning=True):
            adam.zero_grad()
            _losses(model, z, condition, target)[0].sum().backward()  # type: ignore[no-untyped-call]
            adam.step()
        falling.step()
    return z.detach()


def _measure(
    forward: Forward, model: SavedModel, z: Tensor, condition: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the `_losses` without what their gradients would need."""
    with forward.exclusively(learning=True), torch.no_grad():
        return _losses(model, z, condition, target)


def _losses(model: SavedModel, z: Tensor, condition: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss and the mean squared error of pixels in [0, 1] of each latent, both (B,)."""
    error = ((model.generator(z, condition) - target) / 2).square().mean((1, 2, 3))
    return error + _PRIOR * z.square().mean(1), error
