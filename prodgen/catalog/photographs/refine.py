"""The final cut: a mask in the photograph's own pixels, and an edge that is soft and has no ground in it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.cut import Mask, Pixels, grab, pieces

_ROUNDS = 2
_SURE = 0.97
"""The likelihood, of product or of ground, that a second cut does not question."""
_PROBABLE, _DEEP = 0.9, 0.04
"""Nor a lower one so far, as a share of the longer side, from where it changes over."""
_THIN = 0.03
"""Of the longer side: narrower than that is a hanger or a cord, unless it is likely to be product."""
_RIM = 0.012
"""Of the longer side: half the width of the strip along the edge in which the cover is neither 0 nor 1."""
_CALM = 5e-3
"""The variance of light along the edge, of 1, below which it moves nothing."""
_HARD = 0.06
"""Of the ground in a pixel: less is none, and that much of the product is all of it."""

Plane = NDArray[np.float32]
"""(H, W) from 0 to 1."""


def second_cut(rgb: Pixels, likely: Plane) -> Mask:
    """(H, W, 3) bytes, and how likely each pixel is product -> (H, W).

    GrabCut puts the edge where the photograph has one; ``likely`` keeps it from the rest of the picture.
    """
    product = (likely > 0.5).astype(np.uint8)
    trimap = np.where(product, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    for side, chance, sure in ((product, likely, cv2.GC_FGD), (1 - product, 1 - likely, cv2.GC_BGD)):
        depth = cv2.distanceTransform(side, cv2.DIST_L2, 3) / max(side.shape)
        trimap[(chance > _SURE) | ((chance > _PROBABLE) & (depth > _DEEP))] = sure
    mask = grab(rgb, trimap, _ROUNDS)
    width = max(3, round(_THIN * max(mask.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    thick = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc).astype(bool)
    return _without_specks(pieces(thick | (mask & (likely > 0.5))), width * width)


def _without_specks(mask: Mask, area: int) -> Mask:
    """Holes that are smaller than ``area`` filled: buttons and glints, not the gap between two legs."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < area
    small[0] = False  # the product
    return mask | small[labels]


def soft_edge(rgb: Pixels, mask: Mask) -> Plane:
    """A mask -> the cover of each pixel: the edge follows the photograph within a narrow strip.

    A guided filter (He, Sun & Tang 2010), the photograph's light being the guide.
    """
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    radius = max(1, round(_RIM * max(mask.shape)))
    box = (2 * radius + 1, 2 * radius + 1)

    def mean(plane: Plane) -> Plane:
        return cv2.blur(plane, box, borderType=cv2.BORDER_REFLECT)

    hard = mask.astype(np.float32)
    mean_guide, mean_hard = mean(guide), mean(hard)
    slope = (mean(guide * hard) - mean_guide * mean_hard) / (mean(guide * guide) - mean_guide**2 + _CALM)
    offset = mean_hard - slope * mean_guide
    soft = mean(slope) * guide + mean(offset)
    soft = np.clip((soft - _HARD) / (1 - 2 * _HARD), 0, 1)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, box)
    inside = cv2.erode(mask.astype(np.uint8), around, borderType=cv2.BORDER_REPLICATE)
    reach = cv2.dilate(mask.astype(np.uint8), around)
    return np.where(inside, 1, np.where(reach, soft, 0)).astype(np.float32)


def without_ground(rgb: Pixels, cover: Plane) -> Pixels:
    """The photograph with the colours of pixels at the product's edge taken from the product beside them."""
    inside = cv2.erode((cover > 1 - _HARD).astype(np.float32), np.ones((3, 3), np.uint8))
    width = 2 * max(2, round(2 * _RIM * max(cover.shape))) + 1
    weight = cv2.GaussianBlur(inside, (width, width), 0)[..., None]
    near = cv2.GaussianBlur(rgb * inside[..., None], (width, width), 0)
    known = weight[..., 0] > 1e-3
    edge = known & (inside == 0)
    clean = rgb.copy()
    clean[edge] = np.clip(near[edge] / weight[edge] + 0.5, 0, 255).astype(np.uint8)
    return clean
