"""The Fréchet distance of two sets of features (Heusel et al. 2017)."""

import math

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return the distance of Gaussians fitted to ``a`` (N, D) and ``b`` (M, D). N and M must exceed D."""
    a, b = a.double(), b.double()
    if not (a.isfinite().all() and b.isfinite().all()):
        return math.inf  # the library that finds eigenvalues may crash on such numbers
    difference = (a.mean(0) - b.mean(0)).square().sum()
    covariance_a, covariance_b = torch.cov(a.T), torch.cov(b.T)
    # The trace of a matrix's square root is the sum of its eigenvalues' roots, here real up to rounding.
    overlap = torch.linalg.eigvals(covariance_a @ covariance_b).real.clamp(min=0).sqrt().sum()
    return float(difference + covariance_a.trace() + covariance_b.trace() - 2 * overlap)
