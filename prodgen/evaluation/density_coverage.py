"""Density and coverage (Naeem et al. 2020): like precision and recall, but hard to please by outliers."""

import torch
from torch import Tensor

from prodgen.evaluation.neighbours import distances, radii
from prodgen.evaluation.precision_recall import K


def density_coverage(generated: Tensor, real: Tensor, k: int = K) -> tuple[float, float]:
    """Features (N, D) and (M, D) -> how many real balls hold a generated image, over k (1 if the sets are of
    one distribution, and it may be more), and the share of real balls that hold one at all."""
    reach = radii(real, k)
    held, covered = 0, torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for piece in distances(generated, real):
        inside = piece <= reach
        held += int(inside.sum())
        covered |= inside.any(0)
    return held / (k * len(generated)), float(covered.double().mean())
