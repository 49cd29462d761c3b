"""Pictures that look like no other of their category."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_COMPONENTS, _FOR_EACH, _NEIGHBOURS = 32, 8, 5
_LEAST = 30
"""Pictures of a category that it takes to tell what is usual there."""
_AT_ONCE = 1024


def strangeness(features: NDArray[np.float32], categories: Sequence[str | None]) -> NDArray[np.float64]:
    """(N, D) features and N categories -> (N,): how far each is from the 5 nearest of its category.

    In deviations from the usual distance, told from medians; 0 where a category has too few to tell.
    """
    found = np.zeros(len(features))
    if len(features) < _LEAST:
        return found
    plain = _whitened(features)
    named = np.array([category or "" for category in categories])
    for name in np.unique(named):
        rows = np.flatnonzero(named == name)
        if len(rows) >= _LEAST:
            found[rows] = _distances(plain[rows])
    known = found > 0
    usual = np.median(found[known]) if known.any() else 0.0
    deviation = 1.4826 * np.median(np.abs(found[known] - usual)) if known.any() else 1.0
    return np.where(known, (found - usual) / max(float(deviation), 1e-6), 0.0)


def _whitened(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The directions in which they differ most, fewer where they are few, each with deviation 1."""
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-6)
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    used = min(_COMPONENTS, len(features) // _FOR_EACH, int((values > 1e-6).sum()))
    return scaled @ vectors[:, -used:] / np.sqrt(values[-used:])


def _distances(points: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (points**2).sum(1)
    found = np.empty(len(points))
    for start in range(0, len(points), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        apart = squares[part, None] - 2 * points[part] @ points.T + squares
        nearest = np.partition(apart, _NEIGHBOURS, 1)[:, _NEIGHBOURS]  # the first is the point itself
        found[part] = np.sqrt(np.maximum(nearest, 0))
    return found
