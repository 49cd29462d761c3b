"""Separate a product from a plain background by colour, or from another by GrabCut (Rother et al. 2004)."""

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import SQUARE, Mask, Pixels, Plane, fill_holes, main_pieces, opened

_STRIP = 0.02  # width of the border that must be of one colour, as a share of the longer side
_MAX_DEVIATION, _UNIFORM_SHARE = 2.5, 0.98
"""Largest CIELAB distance from the border's median, for at least this share of a plain border."""
_DIFFERENT = 5.0  # CIELAB distance from the border's median at which a pixel is product
_MIN_COVERAGE, _MAX_COVERAGE = 0.02, 0.9
_BORDER = 0.03
"""Width of the border strip that `first_cut` takes for certain background, as a share of the longer side."""
_MARGIN_X, _MARGIN_Y = 0.15, 0.12
"""Margins, as shares of the width and height, that `first_cut` takes for probable background."""
_FIRST_ITERATIONS, _GUIDED_ITERATIONS = 5, 2
_CERTAIN = 0.97  # a guided cut does not change pixels above this probability of product or background
_PROBABLE, _DEEP = 0.9, 0.04
"""A guided cut also keeps pixels above this probability at this distance (share of side) from the edge."""
_SURE = 0.8  # probability from which a guided cut expects product
_THIN = 0.03
"""A guided cut removes parts thinner than this share of the longer side (hangers, cords) if improbable."""
_HOOK_REACH = 0.04  # share of the height below the product's top in which the hook of a hanger is looked for
_HOOK_WIDTH = 0.25  # largest width of a hook, as a share of the product's; the handle of a bag is wider
_HOOK_CHROMA, _HOOK_CONTRAST = 18.0, 15.0
"""Largest chroma of a hook, and its least CIELAB distance from the product's colour."""


def cut_from_plain(rgb: Pixels) -> Mask | None:
    """Return the product's mask in (H, W, 3) bytes; None if the background is not plain or the cut failed.

    Only pixels connected with the border are background, so a white shirt on white is cut out whole.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    strip = max(1, round(_STRIP * max(rgb.shape)))
    sides = (lab[:strip], lab[-strip:], lab[:, :strip], lab[:, -strip:])
    border = np.concatenate([side.reshape(-1, 3) for side in sides])
    background = np.median(border, 0)
    if (np.linalg.norm(border - background, axis=1) <= _MAX_DEVIATION).mean() < _UNIFORM_SHARE:
        return None
    similar = np.linalg.norm(lab - background, axis=2) < _DIFFERENT
    # A frame of background connects all background at the border with the corner.
    framed = np.pad(similar, 1, constant_values=True).astype(np.uint8)
    _, labels = cv2.connectedComponents(framed, connectivity=4)
    product = (labels != labels[0, 0])[1:-1, 1:-1]
    mask = main_pieces(opened(product, SQUARE))
    return mask if _MIN_COVERAGE <= mask.mean() <= _MAX_COVERAGE else None


def first_cut(rgb: Pixels) -> Mask:
    """Return the mask of the product in (H, W, 3) bytes, assuming that the product is in the middle.

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
    """Return the mask of the product in (H, W, 3) bytes, given the probability of product at each pixel.

    Near the edge, the photograph's colours decide; everywhere else, the probability decides.
    """
    width = max(3, round(_THIN * max(rgb.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    unsure = (probability > 0.5) & (probability < _SURE)
    # Thin parts that are unsure, such as gaps between arm and body, would teach GrabCut the ground's colour.
    product = ((probability >= _SURE) | opened(unsure, disc)).astype(np.uint8)
    trimap = np.where(product, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    sides = (product, probability, cv2.GC_FGD), (1 - product, 1 - probability, cv2.GC_BGD)
    for side, chance, certain in sides:
        depth = cv2.distanceTransform(side, cv2.DIST_L2, 3) / max(side.shape)
        trimap[(chance > _CERTAIN) | ((chance > _PROBABLE) & (depth > _DEEP))] = certain
    mask = _grabcut(rgb, trimap, _GUIDED_ITERATIONS)
    thick = opened(mask, disc)
    mask = main_pieces(thick | (mask & (probability > 0.5)))
    # A small hole that is probably product is a button; an improbable one is a gap, as between arm and body.
    mask |= fill_holes(mask, width * width) & (probability > 0.5)
    return mask & ~_hook(rgb, mask, thick)


def _hook(rgb: Pixels, mask: Mask, thick: Mask) -> Mask:
    """Return the mask of a hanger's hook, or an empty mask without a hook.

    A hook is the only thin part at the top of ``mask``, and its colour differs from the product's. A hook is
    black, white or of metal, so it has little chroma. ``thick`` is ``mask`` without thin parts.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats((mask & ~thick).astype(np.uint8))
    tops = stats[1:, cv2.CC_STAT_TOP]
    high = 1 + np.flatnonzero(tops <= np.flatnonzero(mask.any(1))[:1] + _HOOK_REACH * len(mask))
    high = high[stats[high, cv2.CC_STAT_HEIGHT] > _THIN * len(mask)]
    widest = _HOOK_WIDTH * np.count_nonzero(mask.any(0))
    if len(high) != 1 or stats[high[0], cv2.CC_STAT_WIDTH] > widest or not thick.any():
        return np.zeros_like(mask)
    hook = labels == high[0]
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colour, product = np.median(lab[hook], 0), np.median(lab[thick & mask], 0)
    is_hook = np.linalg.norm(colour[1:]) < _HOOK_CHROMA and np.linalg.norm(colour - product) > _HOOK_CONTRAST
    return hook if is_hook else np.zeros_like(mask)


def _grabcut(rgb: Pixels, trimap: Pixels, iterations: int) -> Mask:
    """Return the product's mask (H, W): refine ``trimap``, (H, W) of OpenCV's four classes, by GrabCut.

    A trimap in which all pixels or no pixels are product is not refined.
    """
    product = (trimap & 1).astype(bool)
    if product.all() or not product.any():
        return product
    cv2.setRNGSeed(0)  # GrabCut begins with a k-means, which is random
    rgb, classes, models = np.ascontiguousarray(rgb), trimap.copy(), np.zeros((2, 1, 65))
    cv2.grabCut(rgb, classes, None, models[0], models[1], iterations, cv2.GC_INIT_WITH_MASK)
    return (classes & 1).astype(bool)
