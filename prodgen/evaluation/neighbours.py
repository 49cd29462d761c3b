"""Distances to neighbours, and measures of fidelity and variety that use these distances.

The manifold of a set of features is the union of balls, one around each image's features. The radius of a
ball is the distance from the image to its k-th nearest neighbour in the set.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

PIECE = 1 << 24
"""Number of distances that are in memory at once (128 MB)."""


def distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Yield the Euclidean distances from ``a`` (N, D) to ``b`` (M, D) in pieces (n, M), n rows of ``a`` each.

    Computes in double precision, because rounding could hide which neighbour is nearest.
    """
    b = b.double()
    for rows in a.split(max(1, PIECE // len(b))):
        yield torch.cdist(rows.double(), b)


def nearest(a: Tensor, b: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the distances and row numbers of the ``k`` nearest rows of ``b`` (M, D) for each row of ``a``.

    ``a``: (N, D). Both results are (N, k), the nearest row first.
    """
    rows = torch.cat([piece.topk(k, largest=False).indices for piece in distances(a, b)])
    pieces = zip(a.double().split(1000), rows.split(1000), strict=True)
    exact = [(x[:, None] - b[near].double()).norm(dim=2) for x, near in pieces]
    return torch.cat(exact), rows


def radii(a: Tensor, k: int) -> Tensor:
    """Return the distance (N,) of each row of ``a`` (N, D) to its k-th nearest other row."""
    return torch.cat([piece.topk(k + 1, largest=False).values[:, -1] for piece in distances(a, a)])


K = 5


def precision_recall(generated: Tensor, real: Tensor, k: int = K) -> tuple[float, float]:
    """Return precision and recall (Kynkäänniemi et al. 2019) of features (N, D) and (M, D).

    Precision: the share of generated images in the manifold of the real images. Recall: the share of real
    images in the manifold of the generated images.
    """
    return _share_inside(generated, real, k), _share_inside(real, generated, k)


def density_coverage(generated: Tensor, real: Tensor, k: int = K) -> tuple[float, float]:
    """Return density and coverage (Naeem et al. 2020) of features (N, D) and (M, D).

    Density: the mean number of balls around real images that contain a generated image, divided by k.
    Coverage: the share of balls around real images that contain a generated image.
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
