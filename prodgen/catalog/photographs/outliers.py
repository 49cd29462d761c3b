"""Score how unusual each picture is among the pictures of its category."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MAX_COMPONENTS, _PICTURES_PER_COMPONENT, _NEIGHBOURS = 32, 8, 5
_MIN_PICTURES = 30  # least number of pictures of a category that is scored
_BATCH = 1024


def outlier_scores(features: NDArray[np.float32], categories: Sequence[str | None]) -> NDArray[np.float64]:
    """Return scores (N,) of features (N, D): the distance to the fifth nearest picture of the same category.

    A score is in deviations above the usual distance, both estimated from medians over all categories. It is
    0 in a category of fewer than 30 pictures.
    """
    distances = np.zeros(len(features))
    if len(features) < _MIN_PICTURES:
        return distances
    points = _whitened(features)
    names = np.array([category or "" for category in categories])
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        if len(rows) >= _MIN_PICTURES:
            distances[rows] = _neighbour_distances(points[rows])
    known = distances > 0
    if not known.any():
        return distances
    usual = np.median(distances[known])
    deviation = 1.4826 * np.median(np.abs(distances[known] - usual))
    return np.where(known, (distances - usual) / max(float(deviation), 1e-6), 0.0)


def _whitened(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Project the features on their first principal components, each scaled to deviation 1."""
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-6)
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    used = min(_MAX_COMPONENTS, len(features) // _PICTURES_PER_COMPONENT, int((values > 1e-6).sum()))
    return scaled @ vectors[:, -used:] / np.sqrt(values[-used:])


def _neighbour_distances(points: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (points**2).sum(1)
    distances = np.empty(len(points))
    for start in range(0, len(points), _BATCH):
        batch = slice(start, start + _BATCH)
        apart = squares[batch, None] - 2 * points[batch] @ points.T + squares
        nearest = np.partition(apart, _NEIGHBOURS, 1)[:, _NEIGHBOURS]  # index 0 is the point itself
        distances[batch] = np.sqrt(np.maximum(nearest, 0))
    return distances
