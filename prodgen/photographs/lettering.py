"""Find rows of letter-like marks on the ground of a picture: a caption, a price, or a watermark."""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import Mask, Pixels

_NEAR = 0.06  # width of the neighbourhood that a mark is compared with, as a share of the longer side
_CONTRAST = 7.0  # least difference of lightness, in levels of 255, between a mark and its neighbourhood
_SMOOTH = 1.8  # levels of 255 by which half of a smooth ground differs from its neighbourhood, at most
_LEAST_HEIGHT, _MOST_HEIGHT = 0.008, 0.12  # of a letter, as shares of the longer side
_WIDEST, _NARROWEST = 2.5, 0.08  # width of a letter, divided by its height
_LEAST_INK, _MOST_INK = 0.12, 0.9  # share of its box that a letter covers; an `l` covers nearly all
_TALLER, _THICKER = 1.8, 2.2  # largest ratios of heights, and of stroke widths, of two neighbours in a row
_GAP, _RISE = 1.2, 0.45  # largest gap and shift between neighbours in a row, divided by their height
_LEAST_LETTERS = 4


class _Letter(NamedTuple):
    """The box of a mark, and twice the greatest distance of its ink from its edge, in pixels."""

    left: int
    top: int
    width: int
    height: int
    stroke: float

    def follows(self, other: "_Letter") -> bool:
        """Return whether this mark may be the next letter after ``other`` in a row."""
        lower, upper = sorted((self.height, other.height))
        thin, thick = sorted((self.stroke, other.stroke))
        gap = self.left - other.left - other.width
        rise = min(
            abs(self.top + self.height - other.top - other.height),
            abs(self.top + self.height / 2 - other.top - other.height / 2),
        )
        return (
            other.left < self.left
            and -0.3 * upper <= gap <= _GAP * upper
            and rise <= _RISE * lower
            and upper <= _TALLER * lower
            and thick <= _THICKER * thin
        )


def letters_in_rows(rgb: Pixels, ground: Mask) -> int:
    """Return the number of marks in the longest row of letter-like marks on the ground; 0 for no row.

    ``rgb`` (H, W, 3): a picture. ``ground`` (H, W): where marks count. A mark that leaves the ground does
    not count, so a print on the product is none. On a ground that is not smooth, such as a carpet, nothing
    is found.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    known = ground.astype(np.float32)
    if not ground.any() or np.ptp(grey[ground]) < _CONTRAST:
        return 0
    width = 2 * round(_NEAR * max(grey.shape) / 2) + 1
    near = cv2.blur(grey * known, (width, width)) / np.maximum(cv2.blur(known, (width, width)), 1e-3)
    darker = (near - grey) * known
    if np.percentile(np.abs(darker[ground]), 50) > _SMOOTH:
        return 0
    longest = max(_longest_row(_letters(sign * darker > _CONTRAST, ground)) for sign in (1, -1))
    return longest if longest >= _LEAST_LETTERS else 0


def _letters(ink: Mask, ground: Mask) -> list[_Letter]:
    """Return the connected parts of ``ink`` that have the size and shape of a letter."""
    side, edge = max(ink.shape), cv2.dilate((~ground).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    depth = cv2.distanceTransform(ink.astype(np.uint8), cv2.DIST_L2, 3)
    cut = set(np.unique(labels[edge]).tolist())
    found = []
    for label, (left, top, width, height, area) in enumerate(stats[1:].tolist(), 1):
        if not (_LEAST_HEIGHT * side <= height <= _MOST_HEIGHT * side) or label in cut:
            continue
        if not _NARROWEST <= width / height <= _WIDEST:
            continue
        if not _LEAST_INK <= area / (width * height) <= (_MOST_INK if width > 0.35 * height else 1):
            continue
        part = labels[top : top + height, left : left + width] == label
        stroke = 2 * float(depth[top : top + height, left : left + width][part].max())
        found.append(_Letter(left, top, width, height, stroke))
    return found


def _longest_row(letters: Iterable[_Letter]) -> int:
    """Return the number of letters in the longest row in which each letter follows the one before."""
    ordered, lengths = sorted(letters), list[int]()
    for at, letter in enumerate(ordered):
        before = [lengths[k] for k in range(at) if letter.follows(ordered[k])]
        lengths.append(1 + max(before, default=0))
    return max(lengths, default=0)
