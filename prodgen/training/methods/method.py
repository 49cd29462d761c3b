"""The interface of training methods, and functions that several methods share."""

import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from prodgen.models.base import ImageGenerator
from prodgen.training.batches import Batch
from prodgen.training.distributed.collectives import average_gradients
from prodgen.training.distributed.world import draw_shard
from prodgen.training.recipes.recipe import Recipe

Losses = dict[str, Tensor]
"""Losses and other scalars of a step by name, on the device, computed on this process's images."""


class Method(Protocol):
    """A method that trains a generator. ``modules`` and ``optimizers`` hold the whole state of the method."""

    generator: ImageGenerator
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    batches: int
    """Number of batches of real images that a step takes."""
    discriminator_only: bool
    """Whether a step trains only the discriminator."""

    def step(self, batches: list[Batch], progress: float) -> Losses:
        """Train every network for one step; return the losses.

        ``progress``: the share of the training's steps that are done, in [0, 1).
        """


def optimizer_step(
    optimizer: torch.optim.Optimizer, losses: Iterator[Tensor], parts: int, clip: float
) -> Tensor:
    """Sum the gradients of ``parts`` losses, average them over all processes, and update the weights.

    The losses are computed one after the other, to save memory. ``clip``: largest norm of the gradient.
    Returns the mean of this process's losses.
    """
    optimizer.zero_grad(set_to_none=True)
    values: list[Tensor] = []
    for loss in losses:
        (loss / parts).backward()
        values.append(loss.detach() / parts)
    learning = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    average_gradients([p.grad for p in learning])
    clip_grad_norm_(learning, clip)
    optimizer.step()
    return torch.stack(values).sum()


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Freeze the weights of ``network`` within the block. Gradients still pass through the network."""
    learning = [p for p in network.parameters() if p.requires_grad]
    for p in learning:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in learning:
            p.requires_grad_(True)


def draw_latents(batch: Batch, dim: int) -> Tensor:
    """Draw one latent for each image of the batch from torch's random state; return (B, dim)."""
    return draw_shard(torch.randn, len(batch.real), dim, device=batch.real.device)


def autocast(recipe: Recipe, batch: Batch) -> torch.autocast:
    """Compute in the recipe's precision within the block, or in fp32 if the device only emulates bf16.

    Emulation is far slower than fp32. bf16 has the range of fp32, so gradients need no scaling.
    """
    device = batch.real.device.type
    return torch.autocast(device, torch.bfloat16, enabled=recipe.precision == "bf16" and has_bf16(device))


@cache
def has_bf16(device: str) -> bool:
    """Return whether a ``device`` such as "cuda" or "cpu" computes in bf16 without emulation.

    These are GPUs since Ampere, x86 CPUs with AMX or AVX512-BF16, and all other devices.
    """
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu" or platform.machine() not in ("x86_64", "AMD64"):
        return True
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load ``state`` into an optimizer, but keep the recipe's learning rates, which may have changed.

    Moments get the memory format of their weights, as in an uninterrupted training.
    """
    rates = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["initial_lr"] = rate
    for weight, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.ndim and value.shape == weight.shape:
                moments[name] = torch.empty_like(weight).copy_(value)


def set_rates(optimizers: Iterable[torch.optim.Optimizer], recipe: Recipe, step: int) -> None:
    """Set the learning rates of all optimizers for ``step``.

    The rates rise from 0 over the first ``ramp`` steps, and fall to 0 over the last share ``decay`` of the
    steps.
    """
    rising = (step + 1) / recipe.ramp if recipe.ramp else 1.0
    falling = (recipe.steps - step) / (recipe.steps * recipe.decay) if recipe.decay else 1.0
    factor = min(1.0, rising, falling)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
