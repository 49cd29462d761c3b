"""Precision and recall of a generator (Kynkäänniemi et al. 2019)."""

import torch
from torch import Tensor

from prodgen.evaluation.neighbours import distances, radii

K = 5
"""The neighbour whose distance is a ball's radius, here and for density and coverage."""


def precision_recall(generated: Tensor, real: Tensor, k: int = K) -> tuple[float, float]:
    """Features (N, D) and (M, D) -> the share of generated images inside the real ones' manifold, and of real
    ones inside the generated. A manifold is the balls around its images that reach the k-th neighbour."""
    return _inside(generated, real, k), _inside(real, generated, k)


def _inside(a: Tensor, manifold: Tensor, k: int) -> float:
    reach = radii(manifold, k)
    inside = [(piece <= reach).any(1) for piece in distances(a, manifold)]
    return float(torch.cat(inside).double().mean())
