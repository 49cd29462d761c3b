"""Find ground that a cut-out shows through a gap of the product, such as between a sleeve and the body."""

from typing import NamedTuple

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import SQUARE, Mask, Pixels, Plane, fitted, opened
from prodgen.photographs.region import colour_distance

_SIDE = 320  # longer side of the photograph, in pixels, at which gaps are found
_BESIDE = 0.1  # width of the ground around the product that is looked at, as a share of the side
_GROUND, _PRODUCT, _LEAST_SHARE = 3, 4, 0.1
"""Numbers of colours of the ground and of the product, and the least share of either that a colour has."""
_LIKE, _UNLIKE, _TIMES = 22.0, 16.0, 1.5
"""A gap's pixels are nearer to a colour of the ground than the first number, and farther from the product's
colours than the second number and than the third number's multiple of the distance to the ground."""
_ALIKE, _LEAST_AREA = 8.0, 0.0006
"""The median distance of a gap's pixels to the ground is below the first number: a printed rose is
farther from a red sheet. The second number is the least area of a gap, as a share of the product's."""
_CHROMA = 12.0  # least chroma of the ground: what shows white or grey may be a trim or a label
_UNSURE, _IMPROBABLE, _NEAR, _BY_OUTLINE = 0.85, 0.5, 10.0, 6.0
"""A patch of ground without a hue is a gap if its median distance from the ground is below the third number,
and if the network's median probability is below the second, or below the first within the last number of
pixels from the outline. A network is unsure of some labels, too, but these are farther inside."""
_NEARLY_SURE, _STARK, _LARGE = 0.95, 25.0, 0.004
_SAME, _REACHED = 5.0, 1.0
"""A patch may be a gap if it is nearer to the ground than _NEAR, farther from the product than _STARK and
larger than _LARGE, and if either the network is less than _NEARLY_SURE, or the patch is nearer to the ground
than _SAME and comes within _REACHED pixels of the outline."""


class Gaps(NamedTuple):
    """The patches of a product that are ground (H, W), and whether another patch may be ground too."""

    mask: Mask
    doubtful: bool


def gaps(rgb: Pixels, mask: Mask, probability: Plane | None = None) -> Gaps:
    """Find patches of a product that have the ground's colour and not the product's.

    ``rgb`` (H, W, 3): the photograph. ``mask`` (H, W): the product. ``probability`` (H, W): the network's
    guess; without it, only ground of a clear hue is found, and nothing is doubtful.
    """
    lab = cv2.cvtColor(fitted(rgb, _SIDE).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    product = fitted(mask.astype(np.float32), _SIDE) > 0.5
    outside = cv2.distanceTransform((~product).astype(np.uint8), cv2.DIST_L2, 3)
    beside = lab[(outside > 2) & (outside < _BESIDE * max(product.shape))]
    inside = lab[cv2.erode(product.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0]
    nothing = Gaps(np.zeros_like(mask), False)
    if min(len(beside), len(inside)) < 10 * _PRODUCT:
        return nothing
    ground = _colours(beside, _GROUND)
    hued = [colour for colour in ground if np.linalg.norm(colour[1:]) > _CHROMA]
    if not hued and probability is None:
        return nothing
    own = np.min([colour_distance(lab, colour) for colour in _colours(inside, _PRODUCT)], 0)
    found, doubtful = np.zeros(product.shape, np.uint8), False
    for patch, like in _patches(lab, product, own, hued):
        if like < _ALIKE:
            found[patch] = 1
    if probability is not None:
        chance = fitted(probability, _SIDE)
        depth = cv2.distanceTransform(product.astype(np.uint8), cv2.DIST_L2, 3)
        for patch, like in _patches(lab, product, own, ground):
            if like > _NEAR or found[patch].any():
                continue
            sure, nearest = np.median(chance[patch]), depth[patch].min()
            if sure < (_UNSURE if nearest <= _BY_OUTLINE else _IMPROBABLE):
                found[patch] = 1
            elif np.median(own[patch]) > _STARK and patch.sum() > _LARGE * product.sum():
                reaches = nearest <= _REACHED and like < _SAME
                doubtful |= bool(sure < _NEARLY_SURE or reaches)
    wide = cv2.dilate(found, SQUARE).astype(np.float32)
    large = cv2.resize(wide, mask.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return Gaps(mask & large, doubtful)


def _patches(lab: Plane, product: Mask, own: Plane, ground: list[Plane]) -> list[tuple[Mask, float]]:
    """Return the patches of a product that are nearer to the ground's colours than to the product's.

    Each has its median distance from the ground. ``own`` (H, W): the distance from the product's colours.
    """
    if not ground:
        return []
    like = np.min([colour_distance(lab, colour) for colour in ground], 0)
    found = product & (like < _LIKE) & (own > np.maximum(_UNLIKE, _TIMES * like))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened(found, SQUARE[:2, :2]).astype(np.uint8))
    large = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _LEAST_AREA * product.sum())
    return [(labels == label, float(np.median(like[labels == label]))) for label in large]


def _colours(pixels: Plane, count: int) -> list[Plane]:
    """Return up to ``count`` colours of pixels (N, 3), each of at least _LEAST_SHARE of the pixels."""
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 20, 0.5)
    unknown = np.zeros((len(pixels), 1), np.int32)
    _, nearest, colours = cv2.kmeans(pixels, count, unknown, stop, 1, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(nearest[:, 0], minlength=count) / len(pixels)
    return [colour for colour, share in zip(colours, shares, strict=True) if share >= _LEAST_SHARE]
