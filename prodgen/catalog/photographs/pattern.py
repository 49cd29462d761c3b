"""Tell plain from patterned products by how much their colour varies locally."""

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.colours import product_lab

_SIZE = 64  # largest side, in pixels, at which the variation is measured
_SHADE = 0.5  # weight of the changes that light and shadow make, too
_INSIDE = 0.06
"""Least distance from the product's edge, where the background shines through, as a share of the side."""
_AROUND = 0.15  # deviation of the neighbourhood with whose mean a pixel is compared, as a share of the side
_QUANTILE = 0.95
_MAX_PLAIN, _MIN_PATTERNED = 8.0, 14.0
"""Largest variation of a plain product, and least of a patterned one. Of 177 cut-outs, a person agreed with
79% of "plain" and 92% of "patterned"; most of the others were faintly patterned."""


def pattern_of(variation: float) -> str | None:
    """Return ``plain``, ``patterned``, or None if the colour variation does not decide."""
    if variation > _MIN_PATTERNED:
        return "patterned"
    return "plain" if variation < _MAX_PLAIN else None


def colour_variation(rgba: NDArray[np.uint8]) -> float:
    """Return the CIELAB distance from its neighbourhood that 95% of the pixels of (S, S, 4) bytes stay below.

    The bytes are premultiplied. Light and shadow move a colour along its line from black, so changes along
    that line weigh less than changes across it.
    """
    small = cv2.resize(rgba, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA) if len(rgba) > _SIZE else rgba
    width = 2 * round(_INSIDE * len(small)) + 1
    inside = cv2.erode((small[..., 3] > 200).astype(np.float32), np.ones((width, width), np.uint8))
    if not inside.any():
        return 0.0
    from_black = product_lab(small) + np.array([16, 0, 0])  # where more light scales all three alike
    sigma = _AROUND * len(small)
    weight = cv2.GaussianBlur(inside, (0, 0), sigma)[..., None]
    local = cv2.GaussianBlur(from_black * inside[..., None], (0, 0), sigma) / np.maximum(weight, 1e-6)
    change, mean = (from_black - local)[inside > 0], local[inside > 0]
    line = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    shade = (change * line).sum(1)
    across = np.linalg.norm(change - shade[:, None] * line, axis=1)
    return float(np.quantile(np.hypot(_SHADE * shade, across), _QUANTILE))
