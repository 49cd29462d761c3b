"""Distances between two sets of features, in pieces that fit into memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

PIECE = 1 << 24
"""Number of distances that are in memory at once (128 MB)."""


def distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Yield the Euclidean distances of ``a`` (N, D) to ``b`` (M, D) in pieces (n, M) of a few rows of ``a``.

    Computes in double precision, because rounding could hide which neighbour is nearest.
    """
    b = b.double()
    for rows in a.split(max(1, PIECE // len(b))):
        yield torch.cdist(rows.double(), b)


def nearest(a: Tensor, b: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return distances and row numbers (N, k) of the ``k`` rows of ``b`` (M, D) nearest to each of ``a``."""
    rows = torch.cat([piece.topk(k, largest=False).indices for piece in distances(a, b)])
    pieces = zip(a.double().split(1000), rows.split(1000), strict=True)
    exact = [(x[:, None] - b[near].double()).norm(dim=2) for x, near in pieces]
    return torch.cat(exact), rows


def radii(a: Tensor, k: int) -> Tensor:
    """Return the distance (N,) of each row of ``a`` (N, D) to its k-th nearest other row."""
    return torch.cat([piece.topk(k + 1, largest=False).values[:, -1] for piece in distances(a, a)])
