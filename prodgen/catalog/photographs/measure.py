"""Measure a photograph for an inspection."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.decode import decode_or_fault

LUMINANCE_SIDE = 32
"""Side of the squares of luminance that are compared with each other."""
_SIDE = 256  # longer side, in pixels, at which a picture is measured
_HASH = 8


class Measurements(NamedTuple):
    """The measurements of a picture.

    ``size`` is the file's (width, height). ``contrast`` is the greatest standard deviation of a channel, in
    levels of 255. ``blur`` is from 0 (sharp) to 1. ``hash`` is a perceptual hash of 64 bits. ``luminance`` is
    (32, 32) with mean 0 and deviation 1. ``chroma`` is the mean a and b in CIELAB, (2,). ``features``, (D,),
    describe colours and edges.
    """

    size: tuple[int, int]
    sha256: str
    contrast: float
    blur: float
    hash: int
    luminance: NDArray[np.float32]
    chroma: NDArray[np.float32]
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
    small = cv2.resize(grey, (LUMINANCE_SIDE, LUMINANCE_SIDE), interpolation=cv2.INTER_AREA)
    luminance = (small - small.mean()) / max(float(small.std()), 1e-3)
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    chroma = lab[..., 1:].mean((0, 1))
    hash_, features = _perceptual_hash(small), _features(lab)
    return Measurements(size, sha256, contrast, _blur(grey), hash_, luminance, chroma, features)


def _blur(grey: NDArray[np.float32]) -> float:
    """Return how little detail another blur removes, from 0 to 1 (Crete et al. 2007)."""
    remaining = []
    for axis, kernel in ((1, (9, 1)), (0, (1, 9))):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, kernel), axis=axis))
        lost = np.maximum(before - after, 0).sum()
        remaining.append(1 - lost / max(float(before.sum()), 1e-6))
    return float(np.clip(max(remaining), 0, 1))


def _perceptual_hash(small: NDArray[np.float32]) -> int:
    """Return 64 bits: whether each of the lowest DCT frequencies is above their median."""
    low = cv2.dct(small)[:_HASH, :_HASH].ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _features(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return colour statistics and edge orientations of a grid of 4 x 4 cells, (4 * 4 * (6 + 8),)."""
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
