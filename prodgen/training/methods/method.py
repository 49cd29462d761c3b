"""What a way of training offers to the loop, whichever family it trains."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from prodgen.models.base import ImageGenerator
from prodgen.training.batches import Batch
from prodgen.training.distributed.exchange import average
from prodgen.training.distributed.world import drawn
from prodgen.training.recipes.recipe import Recipe

Losses = dict[str, Tensor]
"""What is reported of a step, still on the device, and of this process's images alone."""


class Method(Protocol):
    """``modules`` and ``optimizers`` are all that a checkpoint has to hold of it."""

    generator: ImageGenerator
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    batches: int
    """Batches of real images that one step takes."""
    alone: bool
    """Whether a step teaches the discriminator and nobody else."""

    def step(self, batches: list[Batch], progress: float) -> Losses:
        """One step of every network; ``progress`` in [0, 1) is how much of the run lies behind."""


def descend(optimizer: torch.optim.Optimizer, losses: Iterator[Tensor], parts: int, clip: float) -> Tensor:
    """One step down the mean of ``parts`` losses, made one after the other to save memory -> the mean.

    The step is down that of all processes, what is returned is this one's. ``clip``: the greatest norm of the
    gradient.
    """
    optimizer.zero_grad(set_to_none=True)
    told: list[Tensor] = []
    for loss in losses:
        (loss / parts).backward()
        told.append(loss.detach() / parts)
    learning = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    average([p.grad for p in learning])
    clip_grad_norm_(learning, clip)
    optimizer.step()
    return torch.stack(told).sum()


@contextmanager
def still(network: nn.Module) -> Iterator[None]:
    """The network passes gradients on, and takes none, until the end of the block."""
    learning = [p for p in network.parameters() if p.requires_grad]
    for p in learning:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in learning:
            p.requires_grad_(True)


def noise(batch: Batch, dim: int) -> Tensor:
    """A latent for each image of the batch, (B, dim), from torch's random state."""
    return drawn(torch.randn, len(batch.real), dim, device=batch.real.device)


def autocast(recipe: Recipe, batch: Batch) -> torch.autocast:
    """The recipe's precision, where the device has it: a CPU that must mimic bf16 is far slower than in fp32.

    bf16 has the range of fp32, so that no gradient has to be scaled.
    """
    device = batch.real.device.type
    return torch.autocast(device, torch.bfloat16, enabled=recipe.precision == "bf16" and has_bf16(device))


@cache
def has_bf16(device: str) -> bool:
    """Whether a kind of device computes in bf16.

    GPUs do since Ampere, x86 CPUs with AMX or AVX512-BF16.
    """
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu" or platform.machine() not in ("x86_64", "AMD64"):
        return True
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
