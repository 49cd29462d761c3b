"""Latents: the random inputs of a generator. Each depends on its seed, draw and attempt alone."""

from collections.abc import Sequence

import torch
from torch import Tensor

from prodgen.spec.random_streams import Stream, normals


def latents(
    seed: int | Sequence[int], draws: Sequence[int], dim: int, attempts: Sequence[int] | None = None
) -> Tensor:
    """Return standard normal latents (len(draws), dim), identical on every machine and in every batch."""
    seeds = [seed] * len(draws) if isinstance(seed, int) else seed
    values = normals(seeds, draws, dim, Stream.LATENT, attempts or [0] * len(draws))
    return torch.from_numpy(values).float()
