"""A first cut: the product apart from the ground of its photograph, from that one photograph alone."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_BORDER = 0.03
"""Of the longer side: a strip round the picture that is taken for ground."""
_MARGIN_X, _MARGIN_Y = 0.15, 0.12
"""Of each side: outside it a pixel is more likely ground, inside more likely product."""
_ROUNDS = 5
_PART = 0.15
"""Of the greatest piece: the least size of another piece (the second shoe) that is kept."""


def first_cut(rgb: Pixels) -> Mask:
    """(H, W, 3) bytes -> (H, W): True where the product is; what is thinner than 3 pixels is left out.

    GrabCut (Rother, Kolmogorov & Blake 2004), told only that the border is ground and that products lie in
    the middle.
    """
    height, width = rgb.shape[:2]
    trimap = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    x, y = int(width * _MARGIN_X), int(height * _MARGIN_Y)
    trimap[y : height - y, x : width - x] = cv2.GC_PR_FGD
    strip = max(1, int(_BORDER * max(height, width)))
    for edge in (trimap[:strip], trimap[-strip:], trimap[:, :strip], trimap[:, -strip:]):
        edge[:] = cv2.GC_BGD
    mask = grab(rgb, trimap, _ROUNDS)
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return pieces(opened.astype(bool))


def grab(rgb: Pixels, trimap: Pixels, rounds: int) -> Mask:
    """GrabCut from ``trimap``, (H, W) of OpenCV's four values; without one of the two sides, as it is."""
    product = (trimap & 1).astype(bool)
    if product.all() or not product.any():
        return product
    cv2.setRNGSeed(0)  # it begins with a k-means of its own
    models = np.zeros((2, 1, 65))
    found, _, _ = cv2.grabCut(
        np.ascontiguousarray(rgb), trimap.copy(), None, models[0], models[1], rounds, cv2.GC_INIT_WITH_MASK
    )
    return (found & 1).astype(bool)


def pieces(mask: Mask) -> Mask:
    """The greatest connected piece of a mask, and those that are not much smaller."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0  # the ground
    return (areas >= _PART * areas.max())[labels] & mask
