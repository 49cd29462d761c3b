"""Compare pictures: find near-duplicates, and those that look like no other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.measure import LUMINANCE_SIDE, Measurements

_MAX_BITS = 12  # most bits, of 64, in which the hashes of near-duplicates differ
_MIN_CORRELATION, _MAX_CHROMA = 0.99, 5.0
"""Least correlation of luminance and largest distance of mean chroma: many shirts lie on the same bed, and a
shirt comes in several colours."""
_MAX_COMPONENTS, _PICTURES_PER_COMPONENT, _NEIGHBOURS = 32, 8, 5
_MIN_PICTURES = 30  # least number of pictures of a category that is scored
_BATCH = 1024


def near_duplicates(pictures: Sequence[Measurements]) -> list[tuple[int, int]]:
    """Return pairs (earlier, later) of positions of near-duplicates: other size, compression or light."""
    hashes = np.array([picture.hash for picture in pictures], np.uint64)
    chroma = np.array([picture.chroma for picture in pictures])
    luminance = [picture.luminance.ravel() for picture in pictures]
    pairs = []
    for start in range(0, len(pictures), _BATCH):
        near = np.bitwise_count(hashes[start : start + _BATCH, None] ^ hashes) <= _MAX_BITS
        first, second = np.nonzero(np.triu(near, start + 1))
        first += start
        close = np.linalg.norm(chroma[first] - chroma[second], axis=1) <= _MAX_CHROMA
        for pair in zip(first[close].tolist(), second[close].tolist(), strict=True):
            correlation = float(np.dot(*(luminance[k] for k in pair))) / LUMINANCE_SIDE**2
            if correlation >= _MIN_CORRELATION:
                pairs.append(pair)
    return pairs


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
