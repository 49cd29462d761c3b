"""Distances between two sets of features, in pieces that fit into memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

PIECE = 1 << 24
"""Distances in memory at once (128 MB)."""


def distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """a: (N, D); b: (M, D) -> Euclidean distances of consecutive rows of ``a`` to all of ``b``, each (n, M).

    They come from products, whose rounding in single precision would hide which neighbour is nearest.
    """
    b = b.double()
    for rows in a.split(max(1, PIECE // len(b))):
        yield torch.cdist(rows.double(), b)


def nearest(a: Tensor, b: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """a: (N, D); b: (M, D) -> distances and rows, (N, k), of the ``k`` images of ``b`` nearest to each."""
    rows = torch.cat([piece.topk(k, largest=False).indices for piece in distances(a, b)])
    pieces = zip(a.double().split(1000), rows.split(1000), strict=True)
    exact = [(x[:, None] - b[near].double()).norm(dim=2) for x, near in pieces]
    return torch.cat(exact), rows


def radii(a: Tensor, k: int) -> Tensor:
    """a: (N, D) -> the distance of each row to its k-th nearest other row, (N,)."""
    return torch.cat([piece.topk(k + 1, largest=False).values[:, -1] for piece in distances(a, a)])
