"""Take the old colour out of the soft border between a print and the cloth around the print."""

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import Plane, fitted

_SIDE = 400  # longer side, in pixels, at which the colours of print and cloth are found
_CLOTH, _INK = 0.9, 0.3  # weight from which a pixel is cloth, and below which it is print
_NEAR_CLOTH, _NEAR_INK = 6.0, 2.0  # blurs that give the colours of the cloth and of the print nearby
_BAND = np.ones((5, 5), np.uint8)  # reach of the border beyond the cloth
_HALF, _MOST = 0.45, 0.75
"""A border's pixel is recoloured if it is less than the first number on the way from the cloth's colour to
the print's; from the second number on, it is left."""
_BEFORE, _ASIDE = -0.15, 0.25  # a mixture is not farther before the way, or beside the way, than this share
_LEAST_APART = 12.0  # CIELAB distance between cloth and print from which a border can be seen


def without_halo(lab: Plane, weight: Plane, matte: Plane) -> Plane:
    """Return a region's weight (H, W) with the pixels added that are more cloth than print.

    Such pixels lie between cloth and print, in a photograph that is not sharp. In the old colour, they are a
    line around the print. ``lab`` (H, W, 3): the product in CIELAB. ``matte`` (H, W): the product's.
    """
    small, part, inside = (fitted(plane, _SIDE) for plane in (lab, weight, matte))
    product = inside > 0.95
    cloth = (product & (part > _CLOTH)).astype(np.float32)
    ink = (product & (part < _INK)).astype(np.float32)
    if not ink.any() or not cloth.any():
        return weight
    own = _nearby(small, cloth, _NEAR_CLOTH)
    # Pixels far from the cloth's colour count most: they are print alone.
    print_ = _nearby(small, ink * ((small - own) ** 2).sum(-1), _NEAR_INK)
    band = cv2.dilate(cloth, _BAND) * cv2.dilate(ink, _BAND)
    size = weight.shape[::-1]
    own, way, band = (
        cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in (own, print_ - own, band)
    )
    long = np.maximum((way**2).sum(-1), 1e-3)
    apart = lab - own
    along = (apart * way).sum(-1) / long
    aside = np.maximum((apart**2).sum(-1) / long - along**2, 0)
    mixed = band * (along > _BEFORE) * (aside < _ASIDE**2) * (long > _LEAST_APART**2)
    filled: Plane = np.maximum(weight, mixed * np.clip((_MOST - along) / (_MOST - _HALF), 0, 1))
    return filled.astype(np.float32)


def _nearby(lab: Plane, share: Plane, blur: float) -> Plane:
    """Return the mean colour (H, W, 3) around each pixel, of the pixels with a share (H, W) only."""
    sums = cv2.GaussianBlur(share, (0, 0), blur)
    near: Plane = cv2.GaussianBlur(lab * share[..., None], (0, 0), blur) / np.maximum(sums, 1e-6)[..., None]
    return near
