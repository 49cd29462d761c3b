"""Find the part of a product that has its main colour, without its trims and prints."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.colours import dominant_colours
from prodgen.catalog.photographs.masks import SQUARE, Mask, Pixels, Plane, fitted

METHOD = 3
"""The number of the newest way in which regions are found: the `method` in a version's config.json."""
_SMALL = 160  # longer side, in pixels, at which the colours of the product are found
_NEAR, _FAR = 14.0, 26.0
"""A pixel up to the first distance from a region's colour belongs to the region, unless another colour of the
product is nearer; a pixel from the second distance on does not belong to it. Distances are in CIELAB."""
_LIGHT_WEIGHT, _PURE_WEIGHT = 0.2, 0.4
"""Weights in these distances of more or less light, and of a purer or paler colour."""
_ALONE = 1.2  # divides the distances if the product has no other colour
_SHINE, _BRIGHT_WEIGHT = 25.0, 0.6
"""A pixel that is lighter than a colour by more than the first number counts as of another colour, such as a
white print on black, with the second number as the weight of the rest."""
_LEAST_CHROMA = 20.0  # chroma from which a colour certainly has a hue; below half of it, a colour is grey
_SAME_PURITY, _SAME_SHARE = 0.14, 0.45
"""Two colours are shades of one if their purities (chroma divided by lightness plus 16) differ by less than
the first number, and by less than the second number's share of the main colour's purity."""
_SAME_HUE = 0.94  # cosine of the largest angle between two colours of one hue, 20 degrees
_SOFT_EDGE = 1.0  # blur of a region's edge, in pixels
_LIGHT_SIDE = 200  # longer side, in pixels, at which patches of light and shadow are found
_GRADUAL = 0.3
"""A patch of another colour is light or shadow if the colour changes at its border from pixel to pixel by
less than this share of the patch's distance from the region's colour, in the median."""
_MOST_TINTED = 20.0  # largest difference in a and b that light or shadow makes
_ONE_HUE, _CLEAR_HUE, _LEAST_HUED = (0.88, 0.93), 25.0, (12.0, 24.0)
"""A pixel of a product of at least the second number's chroma belongs to the region entirely if the cosine of
the angle to the product's hue and the pixel's chroma are above these ranges, and not at all below them."""
_PRINT_SIDE = 400  # longer side, in pixels, at which prints and the ground around them are found
_PRINT, _LEAST_PRINT = 0.3, 6  # weight below which a pixel is certainly print, and a print's least pixels
_REACH, _AROUND = 0.025, 0.03  # reach of prints beyond such pixels, blur of the ground: shares of the side
_STARK, _SHADOW_HUE, _SHADOW_CHROMA = 25.0, 0.8, 5.0
"""Difference in lightness from the product around it that makes a hard patch a print; least cosine of the
angle to the product's hue and least chroma of a patch in the shadow."""
_LEAST_APART, _FOLDED, _NOISE = 6.0, 0.5, 2.5
"""A pixel near a print belongs to the print from this CIELAB distance to the ground around the print on, in
which lightness has the second number as its weight; or from the third number times the ground's deviation."""


class Region(NamedTuple):
    """A part of a product with a colour of its own."""

    share: float  # of the product
    weight: Plane  # (H, W), how much each pixel belongs to the region


def main_region(rgb: Pixels, matte: Plane, method: int = METHOD) -> Region:
    """Find the largest region of one colour in a product, (H, W, 3) bytes with its matte (H, W).

    ``method``: from 2 on, the region includes its patches in deep shadow or in light of another tint; from 3
    on, also all tones of a clear hue, and a print is left out whole.
    """
    layers = np.dstack([rgb * matte[..., None], matte * 255]).astype(np.float32)
    colours = dominant_colours(fitted(layers, _SMALL).round().astype(np.uint8))
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    own, others, share = [], [], 0.0
    for colour, part in colours:
        shade = _is_shade(colour, colours[0][0])
        share += part * shade
        (own if shade else others).append(_distance(lab, colour))
    distance = np.min(own, 0)
    if not others:  # what differs is small, such as a button or a label, so that more may be light and shadow
        distance = distance / _ALONE
    alone = np.clip((_FAR - distance) / (_FAR - _NEAR), 0, 1)
    nearer = np.clip(0.5 + (np.min(others, 0) - distance) / _NEAR, 0, 1) if others else 1.0
    belongs = (alone * nearer).astype(np.float32)
    if method > 1:
        belongs = _with_light(lab, belongs, matte)
    if method > 2:
        belongs = np.maximum(belongs, _of_hue(lab, colours[0][0]))
        belongs = belongs * (1 - _prints(lab, belongs, matte, colours[0][0]))
    soft = cv2.GaussianBlur(belongs, (0, 0), _SOFT_EDGE)
    # Stretched, because on a dark product recoloured in a bright colour a weight of 0.97 shows as noise.
    return Region(share, np.where(matte > 0, np.clip((soft - 0.15) / 0.6, 0, 1), np.float32(0)))


def _with_light(lab: Plane, weight: Plane, matte: Plane) -> Plane:
    """Return a region's weight (H, W), to which patches of the region in other light are added.

    ``lab``: the product in CIELAB, (H, W, 3). The edge of a print is hard; light and shadow begin gradually.
    """
    small, part, inside = (fitted(plane, _LIGHT_SIDE) for plane in (lab, weight, matte))
    region, patches = part > 0.5, np.zeros_like(part)
    if not region.any():
        return weight
    own = np.median(small[region], 0)
    count, labels = cv2.connectedComponents(((inside > 0.95) & ~region).astype(np.uint8))
    for label in range(1, count):
        patch = labels == label
        apart = np.median(small[patch], 0) - own
        if np.linalg.norm(apart[1:]) < _MOST_TINTED:
            steps = _steps(small, patch, region)
            if steps.size and np.median(steps) < _GRADUAL * np.linalg.norm(apart):
                patches[patch] = 1
    large = cv2.resize(cv2.dilate(patches, SQUARE), weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.maximum(weight, large)


def _of_hue(lab: Plane, main: NDArray[np.float64]) -> Plane:
    """Return how much each pixel (H, W) has the hue of a colour; nothing has the hue of a dull colour."""
    chroma, own = np.linalg.norm(lab[..., 1:], axis=-1), float(np.linalg.norm(main[1:]))
    if own < _CLEAR_HUE:
        return np.zeros_like(chroma)
    cosine = lab[..., 1:] @ main[1:].astype(np.float32) / np.maximum(chroma * own, 1e-3)
    same: Plane = _between(cosine, *_ONE_HUE) * _between(chroma, *_LEAST_HUED)
    return same


def _prints(lab: Plane, weight: Plane, matte: Plane, main: NDArray[np.float64]) -> Plane:
    """Return how much each pixel (H, W) belongs to a print, by the ground close to the print.

    ``lab`` (H, W, 3) is the product, ``weight`` (H, W) a region of it, and ``main`` its colour.
    Colours of a print that are like the region as a whole differ from the ground beside the print.
    """
    small, part, inside = (fitted(plane, _PRINT_SIDE) for plane in (lab, weight, matte))
    certain = ((part < _PRINT) & (inside > 0.95)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(certain)
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= _LEAST_PRINT)
    print_ = np.isin(labels, large[large > 0]) | _hard(small, inside, main)
    ground = ((part > 0.9) & (inside > 0.95) & ~print_).astype(np.float32)
    if not print_.any() or not ground.any():
        return np.zeros_like(weight)
    side = max(part.shape)
    sums = cv2.GaussianBlur(ground, (0, 0), _AROUND * side)[..., None]
    around = cv2.GaussianBlur(small * ground[..., None], (0, 0), _AROUND * side) / np.maximum(sums, 1e-4)
    spread = cv2.GaussianBlur(_apart(small, around) ** 2 * ground, (0, 0), _AROUND * side)
    least = np.maximum(_LEAST_APART, _NOISE * np.sqrt(spread / np.maximum(sums[..., 0], 1e-4)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(_REACH * side) + 1,) * 2)
    near = cv2.GaussianBlur(cv2.dilate(print_.astype(np.float32), disk), (0, 0), _REACH * side / 2)
    near = near * (sums[..., 0] > 0.02)
    around, least, near = (
        cv2.resize(plane, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for plane in (around, least.astype(np.float32), near)
    )
    share: Plane = near * _between(_apart(lab, around), least, 2 * least)
    return share


def _hard(lab: Plane, inside: Plane, main: NDArray[np.float64]) -> Mask:
    """Return where a product (H, W, 3) has hard patches that are far lighter or darker, such as dark letters.

    ``inside`` (H, W) is its matte. Such patches at the outline, and of the product's hue, are in the shadow.
    """
    product = (inside > 0.95).astype(np.float32)
    wide = _AROUND * max(product.shape) * 2
    sums = np.maximum(cv2.GaussianBlur(product, (0, 0), wide), 1e-4)
    apart = lab[..., 0] - cv2.GaussianBlur(lab[..., 0] * product, (0, 0), wide) / sums
    found, edge = np.zeros(product.shape, bool), cv2.dilate(1 - product, SQUARE) > 0
    for side in (apart > _STARK, apart < -_STARK):
        count, labels, stats, _ = cv2.connectedComponentsWithStats((side & (product > 0)).astype(np.uint8))
        for label in range(1, count):
            patch = labels == label
            if stats[label, cv2.CC_STAT_AREA] < _LEAST_PRINT or (patch & edge).any():
                continue
            if _is_shadow(np.median(lab[patch], 0), main):
                continue
            steps = _steps(lab, patch, (product > 0) & ~side)
            if steps.size and np.median(steps) > _GRADUAL * np.abs(apart[patch]).mean():
                found |= patch
    return found


def _is_shadow(patch: Plane, main: NDArray[np.float64]) -> bool:
    """Return whether the colour of a dark patch has the hue of a product that has a clear one."""
    chroma, own = np.linalg.norm(patch[1:]), np.linalg.norm(main[1:])
    same = float(patch[1:] @ main[1:]) > _SHADOW_HUE * chroma * own
    return bool(own > _CLEAR_HUE and chroma > _SHADOW_CHROMA and same)


def _apart(lab: Plane, other: Plane) -> Plane:
    """Return the distance of colours (H, W), in which lightness counts less: folds differ by lightness."""
    change = (lab - other) * np.array([_FOLDED, 1, 1], np.float32)
    return np.linalg.norm(change, axis=-1)


def _between(plane: Plane, low: Plane | float, high: Plane | float) -> Plane:
    """Return 0 where a plane is at most ``low``, 1 where it is at least ``high``, and a ramp in between."""
    ramp: Plane = np.clip((plane - low) / (high - low), 0, 1).astype(np.float32)
    return ramp


def _steps(lab: Plane, one: Mask, other: Mask) -> Plane:
    """Return the distances in CIELAB (N,) between neighbouring pixels of which one is in each mask."""
    found = []
    for axis in (0, 1):
        first, second = ((slice(None),) * axis + (part,) for part in (slice(-1), slice(1, None)))
        across = (one[first] & other[second]) | (other[first] & one[second])
        found.append(np.linalg.norm(lab[first][across] - lab[second][across], axis=1))
    return np.concatenate(found)


def _distance(lab: NDArray[np.floating], colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far colours (..., 3) are from ``colour``, of which more or less light counts little.

    Light moves a colour along the line through black and the colour. Folds are purer than that, and shine is
    paler, so these differences count little too where a pixel is not grey.
    """
    from_black = lab + np.array([16.0, 0, 0])
    line = colour + np.array([16.0, 0, 0])
    length = float(np.linalg.norm(line))
    along = from_black @ (line / length)
    across = (from_black**2).sum(-1) - along**2
    hue = colour[1:] / max(float(np.linalg.norm(colour[1:])), _LEAST_CHROMA)
    own_hue = lab[..., 1:] @ hue
    coloured = np.clip(2 * own_hue / _LEAST_CHROMA - 1, 0, 1)
    purer = own_hue - along * (line[1:] @ hue / length)
    across = np.maximum(across - coloured * (1 - _PURE_WEIGHT**2) * purer**2, 0)
    light = along - length
    bright = np.maximum(light - _SHINE, 0)
    return np.sqrt(across + (_LIGHT_WEIGHT * light + _BRIGHT_WEIGHT * bright) ** 2)


def _is_shade(colour: NDArray[np.float64], main: NDArray[np.float64]) -> bool:
    """Return whether a colour is ``main``, ``main`` in the shadow or in full light, or of the same hue.

    Light and shadow keep the purity nearly. Grey has no purity, so no colour is a shade of it: a black print
    on a grey shirt is not its shadow.
    """
    purity, other = (lab[1:] / (lab[0] + 16) for lab in (main, colour))
    if np.linalg.norm(other - purity) < min(_SAME_PURITY, np.linalg.norm(purity) * _SAME_SHARE):
        return True
    chroma, other_chroma = np.linalg.norm(main[1:]), np.linalg.norm(colour[1:])
    same_hue = main[1:] @ colour[1:] > _SAME_HUE * chroma * other_chroma
    return bool((colour is main) or (same_hue and min(chroma, other_chroma) > _LEAST_CHROMA))
