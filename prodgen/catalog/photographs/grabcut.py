"""Separate the product from the background by GrabCut (Rother, Kolmogorov & Blake 2004)."""

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import SQUARE, Mask, Pixels, Plane, fill_holes, main_pieces, opened

_BORDER = 0.03
"""Width of the strip along the border that is certainly background, as a share of the longer side."""
_MARGIN_X, _MARGIN_Y = 0.15, 0.12
"""Margins, as shares of the sides, that are probably background; the middle is probably product."""
_FIRST_ITERATIONS, _GUIDED_ITERATIONS = 5, 2
_CERTAIN = 0.97  # probability, of product or of background, that a guided cut does not change
_PROBABLE, _DEEP = 0.9, 0.04
"""A lower probability that it does not change this far from the edge, as a share of the longer side."""
_THIN = 0.03
"""Width, as a share of the longer side, below which a part is a hanger or a cord unless it is probable."""


def first_cut(rgb: Pixels) -> Mask:
    """Cut the product out of (H, W, 3) bytes, assuming only that it is in the middle, not at the border.

    Parts thinner than 3 pixels are removed.
    """
    height, width = rgb.shape[:2]
    trimap = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    x, y = int(width * _MARGIN_X), int(height * _MARGIN_Y)
    trimap[y : height - y, x : width - x] = cv2.GC_PR_FGD
    strip = max(1, int(_BORDER * max(height, width)))
    for edge in (trimap[:strip], trimap[-strip:], trimap[:, :strip], trimap[:, -strip:]):
        edge[:] = cv2.GC_BGD
    return main_pieces(opened(_grabcut(rgb, trimap, _FIRST_ITERATIONS), SQUARE))


def guided_cut(rgb: Pixels, probability: Plane) -> Mask:
    """Cut the product out of (H, W, 3) bytes, given the probability of product at each pixel.

    The edge follows the photograph, and the probability decides everywhere else.
    """
    product = (probability > 0.5).astype(np.uint8)
    trimap = np.where(product, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    sides = (product, probability, cv2.GC_FGD), (1 - product, 1 - probability, cv2.GC_BGD)
    for side, chance, certain in sides:
        depth = cv2.distanceTransform(side, cv2.DIST_L2, 3) / max(side.shape)
        trimap[(chance > _CERTAIN) | ((chance > _PROBABLE) & (depth > _DEEP))] = certain
    mask = _grabcut(rgb, trimap, _GUIDED_ITERATIONS)
    width = max(3, round(_THIN * max(mask.shape)))
    thick = opened(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return fill_holes(main_pieces(thick | (mask & (probability > 0.5))), width * width)


def _grabcut(rgb: Pixels, trimap: Pixels, iterations: int) -> Mask:
    """Run GrabCut from ``trimap``, (H, W) of OpenCV's four classes, unless one of the two sides is empty."""
    product = (trimap & 1).astype(bool)
    if product.all() or not product.any():
        return product
    cv2.setRNGSeed(0)  # GrabCut begins with a k-means, which is random
    rgb, classes, models = np.ascontiguousarray(rgb), trimap.copy(), np.zeros((2, 1, 65))
    cv2.grabCut(rgb, classes, None, models[0], models[1], iterations, cv2.GC_INIT_WITH_MASK)
    return (classes & 1).astype(bool)
