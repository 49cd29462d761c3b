"""Measure whether a picture has the fine detail that its number of pixels promises."""

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import Pixels

_WINDOW, _WINDOWS = 128, 24
"""Side in pixels of the squares that are measured, and how many: those with most detail."""
_COARSE, _FINE = slice(10, 16), slice(42, 54)
"""Bands of frequencies, in periods per window. 64 is the finest that pixels can show."""
_QUIET = 1e-3  # added power, in squared levels, so that a square without detail counts as even


def lost_detail(rgb: Pixels) -> float:
    """Return by how many dB fine detail is weaker than coarse detail; 0 for a picture below 128 pixels.

    Sharp photographs come to 5 to 19 dB. Enlarging adds pixels but no fine detail: twice enlarged, they come
    to 22 to 30 dB. A photograph that is out of focus looks the same. ``rgb``: (H, W, 3).
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    tops, lefts = (np.arange(0, side - _WINDOW + 1, _WINDOW // 2) for side in grey.shape)
    if not len(tops) or not len(lefts):
        return 0.0
    detail = cv2.integral(cv2.absdiff(grey, cv2.blur(grey, (9, 9))))
    upper, lower = detail[tops], detail[tops + _WINDOW]
    sums = lower[:, lefts + _WINDOW] - lower[:, lefts] - upper[:, lefts + _WINDOW] + upper[:, lefts]
    best = np.argsort(sums.ravel(), kind="stable")[-_WINDOWS:]
    fade = np.hanning(_WINDOW).astype(np.float32)[:, None]
    power = np.zeros(_WINDOW // 2 + 1)
    for row, column in zip(*np.unravel_index(best, sums.shape), strict=True):
        top, left = tops[row], lefts[column]
        square = grey[top : top + _WINDOW, left : left + _WINDOW]
        for lines in (square, square.T):
            power += (np.abs(np.fft.rfft((lines - lines.mean()) * fade, axis=0)) ** 2).mean(1)
    decibels = 10 * np.log10(power / (2 * len(best) * (fade**2).sum()) + _QUIET)
    return float(decibels[_COARSE].mean() - decibels[_FINE].mean())
