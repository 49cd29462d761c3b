"""Take a swatch from a photographed product: a picture of its cloth alone, without light and shadows."""

from typing import NamedTuple

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import Mask, Pixels, bounding_box
from prodgen.errors import ProdgenError
from prodgen.photographs.colour_doubts import is_patterned
from prodgen.photographs.cutout import CutOut
from prodgen.photographs.shading import encoded, light_on, linear
from prodgen.spec.photograph import SMALLEST_SWATCH

_INSET = 0.015  # width of the product's edge that is left out, as a share of the product's longer side
_PLAIN, _PATTERNED = 0.3, 0.6
"""Largest side of a swatch, as a share of the product's longer side. Larger plain pieces have folds."""


class Lifted(NamedTuple):
    """A swatch (S, S, 3), and its side as a share of the product's longer side."""

    rgb: Pixels
    repeat: float


def lift(cut: CutOut) -> Lifted:
    """Return the largest evenly lit square of a product's cloth, in the mean colour of the whole product.

    Of a plain product, the square lies in the region of the main colour, and its mean colour is the region's.
    Raises ProdgenError if there is no product, or if it is too small.
    """
    product = cut.matte > 0.95
    if not product.any():
        raise ProdgenError("; ".join(cut.doubts) or "no product was found", param="photo")
    patterned = is_patterned(cut.region)
    top, left, bottom, right = bounding_box(product)
    side = max(bottom - top, right - left)
    cloth = product if patterned else product & (cut.region.weight > 0.9)
    light = light_on(cut.rgb, cloth.astype(np.float32), patterned=patterned)
    even = linear(cut.rgb) / light[..., None]
    most = max(SMALLEST_SWATCH, (_PATTERNED if patterned else _PLAIN) * side)
    y, x, size = _square(cloth, light, _INSET * side, most)
    if size < SMALLEST_SWATCH:
        raise ProdgenError(
            f"the product shows {size} x {size} pixels of cloth, and a swatch needs at least "
            f"{SMALLEST_SWATCH} x {SMALLEST_SWATCH}; take a larger photograph",
            param="photo",
        )
    tile = even[y : y + size, x : x + size]
    gain = even[cloth].mean(0) / np.maximum(tile.mean((0, 1)), 1e-4)
    return Lifted(encoded(tile * gain), round(size / side, 3))


def _square(cloth: Mask, light: np.ndarray, inset: float, most: float) -> tuple[int, int, int]:
    """Return the top, the left and the side of the square in ``cloth`` whose light varies least."""
    reach = cv2.distanceTransform(np.pad(cloth, 1).astype(np.uint8), cv2.DIST_C, 3)[1:-1, 1:-1] - inset
    half = int(min(float(reach.max()) - 1, most / 2))
    if half < 1:
        return 0, 0, 0
    window = (2 * half, 2 * half)
    mean, square = (cv2.blur(plane.astype(np.float64), window) for plane in (light, light**2))
    uneven = np.where(reach > half, square - mean**2, np.inf)
    y, x = (int(place) for place in np.unravel_index(uneven.argmin(), uneven.shape))
    return y - half, x - half, 2 * half
