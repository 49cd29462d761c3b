"""The Fréchet distance between two sets of features (Heusel et al. 2017)."""

import math

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Features (N, D) and (M, D), N and M above D -> the distance of the Gaussians fitted to them."""
    a, b = a.double(), b.double()
    if not (a.isfinite().all() and b.isfinite().all()):
        return math.inf  # of which the library that finds eigenvalues may die
    difference = (a.mean(0) - b.mean(0)).square().sum()
    covariance_a, covariance_b = torch.cov(a.T), torch.cov(b.T)
    # The trace of the root of a product is the sum of the roots of its eigenvalues, real up to rounding.
    overlap = torch.linalg.eigvals(covariance_a @ covariance_b).real.clamp(min=0).sqrt().sum()
    return float(difference + covariance_a.trace() + covariance_b.trace() - 2 * overlap)
