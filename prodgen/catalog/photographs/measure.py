"""What an inspection wants to know of one picture."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.read import read_or_fault

BLANK = 2.0
"""The contrast, in bytes, below which a picture shows nothing."""
NOTHING = np.zeros(0, np.float32)
_SIDE = 256
"""Pixels of the longer side at which a picture is measured."""
SMALL = 32
"""Pixels of the squares that are compared with each other."""
_HASH = 8


class Measures(NamedTuple):
    """Of one picture. ``fault`` says why it cannot be read; then nothing else is known.

    ``size``: (width, height) of the file. ``contrast``: how far its pixels are from their mean, in bytes.
    ``blur``: from 0 (sharp) to 1. ``hash``: 64 bits that change little when the picture does. ``small``:
    (32, 32) of its light, with mean 0 and deviation 1. ``tint``: its mean a and b in CIELAB. ``features``:
    what it looks like, in numbers.
    """

    fault: str | None
    size: tuple[int, int] = (0, 0)
    sha256: str = ""
    contrast: float = 0.0
    blur: float = 0.0
    hash: int = 0
    small: NDArray[np.float32] = NOTHING
    tint: NDArray[np.float32] = NOTHING
    features: NDArray[np.float32] = NOTHING


def measure(path: Path) -> Measures:
    """A picture read and measured."""
    read = read_or_fault(path, _SIDE)
    if isinstance(read, str):
        return Measures(read)
    sha256, (rgb, alpha, size) = read
    if alpha is not None:
        share = (alpha / 255.0)[..., None]
        rgb = (rgb * share + 255 * (1 - share)).astype(np.uint8)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    contrast = float(rgb.reshape(-1, 3).std(0).max())
    small = cv2.resize(grey, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    plain = (small - small.mean()) / max(float(small.std()), 1e-3)
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    tint = lab[..., 1:].mean((0, 1))
    return Measures(None, size, sha256, contrast, _blur(grey), _hash(small), plain, tint, _features(lab))


def _blur(grey: NDArray[np.float32]) -> float:
    """How little a picture loses when it is blurred again, from 0 to 1 (Crete et al. 2007)."""
    losses = []
    for kernel in ((9, 1), (1, 9)):
        axis = 1 if kernel[0] > 1 else 0
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, kernel), axis=axis))
        lost = np.maximum(before - after, 0).sum()
        losses.append(1 - lost / max(float(before.sum()), 1e-6))
    return float(np.clip(max(losses), 0, 1))


def _hash(small: NDArray[np.float32]) -> int:
    """A perceptual hash: which of the lowest frequencies are above their median."""
    low = cv2.dct(small)[:_HASH, :_HASH].ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _features(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Which colours there are where, and which way edges run where: (4 * 4 * (6 + 8),)."""
    lab = cv2.resize(lab, (64, 64), interpolation=cv2.INTER_AREA)
    across, down = cv2.Sobel(lab[..., 0], cv2.CV_32F, 1, 0), cv2.Sobel(lab[..., 0], cv2.CV_32F, 0, 1)
    strength, angle = np.hypot(across, down), np.arctan2(down, across) % np.pi
    way = np.minimum((angle / np.pi * 8).astype(int), 7)
    edges = strength[..., None] * (way[..., None] == np.arange(8))
    cells = np.concatenate([lab, edges], 2).reshape(4, 16, 4, 16, 11)
    spread = lab.reshape(4, 16, 4, 16, 3).std((1, 3))
    means = cells.mean((1, 3))
    means[..., 3:] = np.sqrt(means[..., 3:])
    return np.concatenate([means, spread], -1).ravel().astype(np.float32)
