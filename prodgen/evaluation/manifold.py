"""Measures of fidelity and variety that compare the manifolds of two sets of features.

The manifold of a set is the union of balls around its images. The radius of a ball is the distance from the
image to its k-th nearest neighbour in the set.
"""

import torch
from torch import Tensor

from prodgen.evaluation.neighbours import distances, radii

K = 5


def precision_recall(generated: Tensor, real: Tensor, k: int = K) -> tuple[float, float]:
    """Return precision and recall (Kynkäänniemi et al. 2019) of features (N, D) and (M, D).

    Precision: the share of generated images in the manifold of the real ones. Recall: the share of real
    images in the manifold of the generated ones.
    """
    return _share_inside(generated, real, k), _share_inside(real, generated, k)


def density_coverage(generated: Tensor, real: Tensor, k: int = K) -> tuple[float, float]:
    """Return density and coverage (Naeem et al. 2020) of features (N, D) and (M, D).

    Density: the mean number of balls around real images that contain a generated image, divided by k. It is
    about 1 for two samples of one distribution, and can be larger. Coverage: the share of balls around real
    images that contain a generated image. Outliers change both less than precision and recall.
    """
    reach = radii(real, k)
    held, covered = 0, torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for piece in distances(generated, real):
        inside = piece <= reach
        held += int(inside.sum())
        covered |= inside.any(0)
    return held / (k * len(generated)), float(covered.double().mean())


def _share_inside(images: Tensor, manifold: Tensor, k: int) -> float:
    reach = radii(manifold, k)
    inside = [(piece <= reach).any(1) for piece in distances(images, manifold)]
    return float(torch.cat(inside).double().mean())
