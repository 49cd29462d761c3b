"""Measure photographs, and find near-duplicates and outliers by the measurements."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.photographs.masks import Pixels
from prodgen.catalog.picture_files import decode_or_fault

_LUMINANCE_SIDE = 32  # side of the squares of luminance that are compared with each other
_SIDE = 256  # longer side, in pixels, at which a picture is measured
_HASH = 8
_MAX_BITS = 12  # most bits, of 64, in which the hashes of near-duplicates differ
_MIN_CORRELATION, _MAX_CHROMA = 0.99, 5.0
"""Least correlation of luminance, and largest distance of mean chroma, of near-duplicates. The limits are
strict, because different shirts may lie on the same bed, and one shirt may have several colours."""
_MAX_COMPONENTS, _PICTURES_PER_COMPONENT, _NEIGHBOURS = 32, 8, 5
_MIN_PICTURES = 30  # least number of pictures of a category that is scored
_BATCH = 1024


class Measurements(NamedTuple):
    """The measurements of a picture; ``features``, (D,), describe colours and edges."""

    size: tuple[int, int]  # of the file: width, height
    sha256: str
    contrast: float  # greatest standard deviation of a channel, in levels of 255
    blur: float  # from 0 (sharp) to 1
    hash: int  # 64 bits: whether each of the lowest DCT frequencies is above their median
    luminance: NDArray[np.float32]  # (32, 32) with mean 0 and deviation 1
    chroma: NDArray[np.float32]  # mean a and b in CIELAB, (2,)
    features: NDArray[np.float32]


def measure(path: Path) -> Measurements | str:
    """Read a picture and return its measurements, or a description of why it cannot be read."""
    decoded = decode_or_fault(path, _SIDE)
    if isinstance(decoded, str):
        return decoded
    sha256, (rgb, alpha, size) = decoded
    if alpha is not None:
        share = (alpha / 255.0)[..., None]
        rgb = (rgb * share + 255 * (1 - share)).astype(np.uint8)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    contrast = float(rgb.reshape(-1, 3).std(0).max())
    small = cv2.resize(grey, (_LUMINANCE_SIDE, _LUMINANCE_SIDE), interpolation=cv2.INTER_AREA)
    luminance = (small - small.mean()) / max(float(small.std()), 1e-3)
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    chroma = lab[..., 1:].mean((0, 1))
    low = cv2.dct(small)[:_HASH, :_HASH].ravel()
    bits = low > np.median(low[1:])
    hash_ = int.from_bytes(np.packbits(bits).tobytes(), "big")
    return Measurements(size, sha256, contrast, _blur(grey), hash_, luminance, chroma, _features(lab))


def blur(rgb: Pixels) -> float:
    """Return the blur of a picture, (H, W, 3) bytes, as `measure` measures it."""
    small = Image.fromarray(rgb)
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _blur(cv2.cvtColor(np.asarray(small), cv2.COLOR_RGB2GRAY).astype(np.float32))


def _blur(grey: NDArray[np.float32]) -> float:
    """Return the share of detail that an added blur leaves, from 0 (sharp) to 1 (Crete et al. 2007)."""
    remaining = []
    for axis, kernel in ((1, (9, 1)), (0, (1, 9))):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, kernel), axis=axis))
        lost = np.maximum(before - after, 0).sum()
        remaining.append(1 - lost / max(float(before.sum()), 1e-6))
    return float(np.clip(max(remaining), 0, 1))


def _features(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a vector (4 * 4 * (6 + 8),): colour statistics and edge orientations in 4 x 4 cells."""
    lab = cv2.resize(lab, (64, 64), interpolation=cv2.INTER_AREA)
    across, down = cv2.Sobel(lab[..., 0], cv2.CV_32F, 1, 0), cv2.Sobel(lab[..., 0], cv2.CV_32F, 0, 1)
    strength, angle = np.hypot(across, down), np.arctan2(down, across) % np.pi
    orientation = np.minimum((angle / np.pi * 8).astype(int), 7)
    edges = strength[..., None] * (orientation[..., None] == np.arange(8))
    cells = np.concatenate([lab, edges], 2).reshape(4, 16, 4, 16, 11)
    deviations = lab.reshape(4, 16, 4, 16, 3).std((1, 3))
    means = cells.mean((1, 3))
    means[..., 3:] = np.sqrt(means[..., 3:])
    return np.concatenate([means, deviations], -1).ravel().astype(np.float32)


def near_duplicates(pictures: Sequence[Measurements]) -> list[tuple[int, int]]:
    """Return index pairs (earlier, later) of pictures that differ only in size, compression or light."""
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
            correlation = float(np.dot(*(luminance[k] for k in pair))) / _LUMINANCE_SIDE**2
            if correlation >= _MIN_CORRELATION:
                pairs.append(pair)
    return pairs


def outlier_scores(features: NDArray[np.float32], categories: Sequence[str | None]) -> NDArray[np.float64]:
    """Return how unusual each of N pictures with features (N, D) is in its category, as scores (N,).

    A score is the distance to the fifth nearest picture of the category, in robust deviations above the
    median distance of all categories. Scores are 0 in a category of fewer than 30 pictures.
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
    """Return the first principal components of the features, each scaled to standard deviation 1."""
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
