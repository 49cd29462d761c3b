"""Find the part of a product that has the product's main colour, without trims and prints."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.colours import dominant_colours
from prodgen.catalog.photographs.masks import SQUARE, Mask, Pixels, Plane, fitted
from prodgen.photographs.halo import without_halo
from prodgen.photographs.patches import is_ink, lit, patches_of
from prodgen.photographs.prints import kept_and_inked

METHOD = 7
"""Number of the newest method to find regions. A version names its own method in config.json as `method`."""
_SMALL = 160  # longer side, in pixels, at which the colours of the product are found
_NEAR, _FAR = 14.0, 26.0
"""A pixel up to the first distance from a region's colour belongs to the region, unless another colour of the
product is nearer; a pixel from the second distance on does not belong to it. Distances are in CIELAB."""
_LIGHT_WEIGHT, _PURE_WEIGHT = 0.2, 0.4
"""Weights in these distances: of a difference in light, and of a difference in purity."""
_ALONE = 1.2  # divides the distances if the product has no other colour
_SHINE, _BRIGHT_WEIGHT = 25.0, 0.6
"""A pixel that is lighter than a colour by more than the first number may be of another colour, such as a
white print on black. The second number is the weight of the light beyond the first number."""
_LEAST_CHROMA = 20.0  # chroma from which a colour certainly has a hue; below half of it, a colour is grey
_SAME_PURITY, _SAME_SHARE = 0.14, 0.45
"""Two colours are shades of one if their purities (chroma divided by lightness plus 16) differ by less than
the first number, and by less than the second number's share of the main colour's purity."""
_SAME_HUE = 0.94  # cosine of the largest angle between two colours of one hue, 20 degrees
_SOFT_EDGE = 1.0  # blur of a region's edge, in pixels
_LIGHT_SIDE = 200  # longer side, in pixels, at which patches of light and shadow are found
_GRADUAL = 0.3
"""A patch of another colour is light or shadow if its border is gradual: the median change between neighbours
at the border is less than this share of the distance between the patch's and the region's colours."""
_GRADUAL_INK = 0.12  # the same share for a patch of a hue that light seldom makes
_MOST_TINTED = 20.0  # largest difference in a and b that light or shadow makes
_ONE_HUE, _CLEAR_HUE, _LEAST_HUED = (0.88, 0.93), 25.0, (12.0, 24.0)
"""These apply to a product whose chroma is at least the second value. A pixel belongs to the region if the
cosine between its hue and the product's is above the first range, and its chroma is above the last range. A
pixel below one of the ranges does not belong to the region by its hue."""
_PRINT_SIDE = 400  # longer side, in pixels, at which prints and the ground around them are found
_PRINT, _LEAST_PRINT = 0.3, 6  # weight below which a pixel is certainly print, and a print's least pixels
_REACH, _AROUND = 0.025, 0.03  # reach of prints beyond such pixels, blur of the ground: shares of the side
_STARK, _SHADOW_HUE, _SHADOW_CHROMA, _SHADOW_PURITY = 25.0, 0.8, 5.0, 0.75
"""A patch with a hard edge is a print if its lightness differs from the product around the patch by more than
the first number. The patch is shadow instead if the cosine between its hue and the product's is above the
second number, and its chroma is above the third number and above the fourth number's share of the chroma that
the product's colour has in such a shadow."""
_LEAST_PATCH = 12  # least pixels of a patch of another colour whose border is measured
_LEAST_APART, _FOLDED, _NOISE = 6.0, 0.5, 2.5
"""A pixel near a print belongs to the print if its CIELAB distance to the product around the print is above
the first number, and above the third number times the deviation of that product's colours. Lightness has the
second number as its weight in the distance."""


class Region(NamedTuple):
    """A part of a product with a colour of its own."""

    share: float  # of the product
    weight: Plane  # (H, W), how much each pixel belongs to the region
    unclear: float = 0.0  # share of the product in patches that are neither clearly light nor clearly print
    kept: float = 0.0  # share of the product, without its rim, that does not belong to the region
    inked: float = 0.0  # share of the product in the region whose colours change as sharply as in a print


def main_region(rgb: Pixels, matte: Plane, method: int = METHOD) -> Region:
    """Return the largest region of one colour in a product, (H, W, 3) bytes with its matte (H, W).

    Method 1 compares colours only. Method 2 adds the region's patches in deep shadow or in light of another
    tint. Method 3 also adds all tones of a clear hue, and leaves out prints as a whole. Method 5 also finds
    dark prints on a clear hue, and measures patches that keep their colour without a hard edge. Method 6 adds
    patches of light and shadow by the width of their borders.
    """
    layers = np.dstack([rgb * matte[..., None], matte * 255]).astype(np.float32)
    colours = dominant_colours(fitted(layers, _SMALL).round().astype(np.uint8))
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    own, others, share = [], [], 0.0
    for colour, part in colours:
        shade = _is_shade(colour, colours[0][0])
        share += part * shade
        (own if shade else others).append(colour_distance(lab, colour))
    distance = np.min(own, 0)
    if not others:  # only small parts, such as buttons, differ: larger differences may be light and shadow
        distance = distance / _ALONE
    alone = np.clip((_FAR - distance) / (_FAR - _NEAR), 0, 1)
    nearer = np.clip(0.5 + (np.min(others, 0) - distance) / _NEAR, 0, 1) if others else 1.0
    belongs = (alone * nearer).astype(np.float32)
    if method > 1:
        belongs = _with_light(lab, belongs, matte)
    if method > 2:
        belongs = np.maximum(belongs, _of_hue(lab, colours[0][0]))
        belongs = belongs * (1 - _prints(lab, belongs, matte, colours[0][0], method))
    if method > 5:
        belongs = without_halo(lab, lit(lab, belongs, matte), matte)
    soft = cv2.GaussianBlur(belongs, (0, 0), _SOFT_EDGE)
    # Stretched, because on a dark product recoloured in a bright colour a weight of 0.97 shows as noise.
    weight = np.where(matte > 0, np.clip((soft - 0.15) / 0.6, 0, 1), np.float32(0))
    unclear = _unclear(lab, weight, matte, method) if method > 4 else 0.0
    return Region(share, weight, unclear, *(kept_and_inked(lab, weight, matte) if method > 6 else ()))


def _with_light(lab: Plane, weight: Plane, matte: Plane) -> Plane:
    """Return a region's weight (H, W) with the region's patches in other light added.

    ``lab``: the product in CIELAB, (H, W, 3). Only patches with a gradual border are added, because light and
    shadow begin gradually, while the edge of a print is hard.
    """
    small, part, inside = (fitted(plane, _LIGHT_SIDE) for plane in (lab, weight, matte))
    region, patches = part > 0.5, np.zeros_like(part)
    if not region.any():
        return weight
    own = np.median(small[region], 0)
    for box, patch in patches_of((inside > 0.95) & ~region):
        apart = np.median(small[box][patch], 0) - own
        if np.linalg.norm(apart[1:]) < _MOST_TINTED:
            steps = _steps(small[box], patch, region[box])
            if steps.size and np.median(steps) < _GRADUAL * np.linalg.norm(apart):
                patches[box][patch] = 1
    large = cv2.resize(cv2.dilate(patches, SQUARE), weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.maximum(weight, large)


def _of_hue(lab: Plane, main: NDArray[np.float64]) -> Plane:
    """Return how much each pixel has the hue of ``main``: (H, W) in [0, 1], all 0 if ``main`` is dull."""
    chroma, own = np.linalg.norm(lab[..., 1:], axis=-1), float(np.linalg.norm(main[1:]))
    if own < _CLEAR_HUE:
        return np.zeros_like(chroma)
    cosine = lab[..., 1:] @ main[1:].astype(np.float32) / np.maximum(chroma * own, 1e-3)
    same: Plane = _between(cosine, *_ONE_HUE) * _between(chroma, *_LEAST_HUED)
    return same


def _prints(lab: Plane, weight: Plane, matte: Plane, main: NDArray[np.float64], method: int) -> Plane:
    """Return how much each pixel belongs to a print, (H, W) in [0, 1].

    ``lab`` (H, W, 3) is the product, ``weight`` (H, W) a region of the product, and ``main`` the region's
    colour. Pixels are compared with the product close to the print: a colour of the print may be like the
    region as a whole, but differs from the product beside the print.
    """
    small, part, inside = (fitted(plane, _PRINT_SIDE) for plane in (lab, weight, matte))
    certain = ((part < _PRINT) & (inside > 0.95)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(certain)
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= _LEAST_PRINT)
    print_ = np.isin(labels, large[large > 0]) | _hard(small, inside, main, method)
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


def _hard(lab: Plane, inside: Plane, main: NDArray[np.float64], method: int) -> Mask:
    """Return the mask (H, W) of patches with a hard edge that are far lighter or darker than the product.

    Such patches are prints, for instance dark letters. Patches at the product's outline, and patches of the
    product's hue, are shadow and not in the mask. ``lab`` (H, W, 3): the product. ``inside`` (H, W): its
    matte.
    """
    product = (inside > 0.95).astype(np.float32)
    wide = _AROUND * max(product.shape) * 2
    sums = np.maximum(cv2.GaussianBlur(product, (0, 0), wide), 1e-4)
    apart = lab[..., 0] - cv2.GaussianBlur(lab[..., 0] * product, (0, 0), wide) / sums
    found, edge = np.zeros(product.shape, bool), cv2.dilate(1 - product, SQUARE) > 0
    for side in (apart > _STARK, apart < -_STARK):
        for box, patch in patches_of(side & (product > 0), _LEAST_PRINT):
            if (patch & edge[box]).any() or _is_shadow(np.median(lab[box][patch], 0), main, method):
                continue
            steps = _steps(lab[box], patch, (product[box] > 0) & ~side[box])
            if steps.size and np.median(steps) > _GRADUAL * np.abs(apart[box][patch]).mean():
                found[box] |= patch
    return found


def _is_shadow(patch: Plane, main: NDArray[np.float64], method: int) -> bool:
    """Return whether the product's colour ``main`` has a clear hue, and a dark patch has the same hue.

    From method 5 on, the patch must also be about as pure as ``main`` is in shadow, because black has a
    little of any hue in a photograph.
    """
    chroma, own = np.linalg.norm(patch[1:]), np.linalg.norm(main[1:])
    same = float(patch[1:] @ main[1:]) > _SHADOW_HUE * chroma * own
    pure = method < 5 or chroma > _SHADOW_PURITY * own * (patch[0] + 16) / (main[0] + 16)
    return bool(own > _CLEAR_HUE and chroma > _SHADOW_CHROMA and same and pure)


def _unclear(lab: Plane, weight: Plane, matte: Plane, method: int) -> float:
    """Return the share of a product in patches outside its region whose border is gradual.

    The border of a print is hard, so such patches may be shadow that would keep the old colour. From method 6
    on, patches of a hue that light seldom makes count only if their border is very gradual. ``lab``
    (H, W, 3): the product. ``weight`` (H, W): the region. ``matte`` (H, W): the product's.
    """
    small, part, inside = (fitted(plane, _PRINT_SIDE) for plane in (lab, weight, matte))
    product = cv2.erode((inside > 0.95).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    region, other, area = product & (part > 0.9), product & (part < 0.5), 0
    if not region.any():
        return 0.0
    own = np.median(small[region], 0)
    for box, patch in patches_of(other, _LEAST_PATCH):
        colours = small[box][patch]
        gradual = _GRADUAL_INK if method > 5 and is_ink(colours, own) else _GRADUAL
        steps = _steps(small[box], patch, (product & ~other)[box])
        apart = np.linalg.norm(np.median(colours, 0) - own)
        if steps.size and np.median(steps) < gradual * apart:
            area += int(patch.sum())
    return area / int(product.sum())


def _apart(lab: Plane, other: Plane) -> Plane:
    """Return the CIELAB distances (H, W) of two images; lightness counts less, because folds change it."""
    change = (lab - other) * np.array([_FOLDED, 1, 1], np.float32)
    return np.linalg.norm(change, axis=-1)


def _between(plane: Plane, low: Plane | float, high: Plane | float) -> Plane:
    """Map a plane to [0, 1]: up to ``low`` to 0, from ``high`` on to 1, and in between evenly."""
    ramp: Plane = np.clip((plane - low) / (high - low), 0, 1).astype(np.float32)
    return ramp


def _steps(lab: Plane, one: Mask, other: Mask) -> Plane:
    """Return the CIELAB distances (N,) of neighbouring pixels where the masks ``one`` and ``other`` meet."""
    found = []
    for axis in (0, 1):
        first, second = ((slice(None),) * axis + (part,) for part in (slice(-1), slice(1, None)))
        across = (one[first] & other[second]) | (other[first] & one[second])
        found.append(np.linalg.norm(lab[first][across] - lab[second][across], axis=1))
    return np.concatenate(found)


def colour_distance(lab: NDArray[np.floating], colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the CIELAB distances (...) of colours (..., 3) from ``colour``; light counts little.

    Light moves a colour along the line through black and the colour. A colour is also purer in folds and
    paler in shine, so differences in purity count little too, unless the pixel is grey.
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

    Light and shadow hardly change a colour's purity. Grey has no purity, so no other colour is a shade of
    grey: a black print on a grey shirt is not a shadow.
    """
    purity, other = (lab[1:] / (lab[0] + 16) for lab in (main, colour))
    if np.linalg.norm(other - purity) < min(_SAME_PURITY, np.linalg.norm(purity) * _SAME_SHARE):
        return True
    chroma, other_chroma = np.linalg.norm(main[1:]), np.linalg.norm(colour[1:])
    same_hue = main[1:] @ colour[1:] > _SAME_HUE * chroma * other_chroma
    return bool((colour is main) or (same_hue and min(chroma, other_chroma) > _LEAST_CHROMA))
