"""Find ground that a cut-out shows through a gap of the product, such as between a sleeve and the body."""

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


def gaps(rgb: Pixels, mask: Mask) -> Mask:
    """Return the mask (H, W) of patches of a product that have the ground's colour and not the product's.

    ``rgb`` (H, W, 3): the photograph. ``mask`` (H, W): the product.
    """
    lab = cv2.cvtColor(fitted(rgb, _SIDE).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    product = fitted(mask.astype(np.float32), _SIDE) > 0.5
    outside = cv2.distanceTransform((~product).astype(np.uint8), cv2.DIST_L2, 3)
    beside = lab[(outside > 2) & (outside < _BESIDE * max(product.shape))]
    inside = lab[cv2.erode(product.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0]
    none = np.zeros_like(mask)
    if min(len(beside), len(inside)) < 10 * _PRODUCT:
        return none
    ground = [colour for colour in _colours(beside, _GROUND) if np.linalg.norm(colour[1:]) > _CHROMA]
    if not ground:
        return none
    like = np.min([colour_distance(lab, colour) for colour in ground], 0)
    own = np.min([colour_distance(lab, colour) for colour in _colours(inside, _PRODUCT)], 0)
    found = product & (like < _LIKE) & (own > np.maximum(_UNLIKE, _TIMES * like))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened(found, SQUARE[:2, :2]).astype(np.uint8))
    patches = np.zeros(product.shape, np.uint8)
    for label, area in enumerate(stats[1:, cv2.CC_STAT_AREA], 1):
        patch = labels == label
        if area >= _LEAST_AREA * product.sum() and np.median(like[patch]) < _ALIKE:
            patches[patch] = 1
    wide = cv2.dilate(patches, SQUARE).astype(np.float32)
    return mask & (cv2.resize(wide, mask.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5)


def _colours(pixels: Plane, count: int) -> list[Plane]:
    """Return up to ``count`` colours of pixels (N, 3), each of at least _LEAST_SHARE of the pixels."""
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 20, 0.5)
    unknown = np.zeros((len(pixels), 1), np.int32)
    _, nearest, colours = cv2.kmeans(pixels, count, unknown, stop, 1, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(nearest[:, 0], minlength=count) / len(pixels)
    return [colour for colour, share in zip(colours, shares, strict=True) if share >= _LEAST_SHARE]
