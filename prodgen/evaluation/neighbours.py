"""Distances between two sets of features, in pieces that fit into memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

PIECE = 1 << 24
"""Distances that are held at once (128 MB)."""


def distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Features (N, D) and (M, D) -> Euclidean distances of consecutive rows of ``a``, (n, M) each.

    In double precision: they come from products, whose rounding would hide who is nearest.
    """
    b = b.double()
    for rows in a.split(max(1, PIECE // len(b))):
        yield torch.cdist(rows.double(), b)


def nearest(a: Tensor, b: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Features (N, D), (M, D) -> the ``k`` nearest of ``b`` to each of ``a``: distances and rows, (N, k)."""
    rows = torch.cat([piece.topk(k, largest=False).indices for piece in distances(a, b)])
    pieces = zip(a.double().split(1000), rows.split(1000), strict=True)
    exact = [(x[:, None] - b[near].double()).norm(dim=2) for x, near in pieces]
    return torch.cat(exact), rows


def radii(a: Tensor, k: int) -> Tensor:
    """The distance from each of ``a`` (N, D) to its k-th nearest other, (N,)."""
    return torch.cat([piece.topk(k + 1, largest=False).values[:, -1] for piece in distances(a, a)])
