"""Measure how much of a product would keep its colour, and how much looks printed, when it is recoloured."""

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import Mask, Plane, fitted

_SIDE = 400  # longer side, in pixels, at which products are measured
_RIM = np.ones((13, 13), np.uint8)  # the rim, 6 pixels wide, has mixed colours and is not measured
_NEAR = np.ones((5, 5), np.uint8)  # the pixels among which colours are compared
_SOFTENED = 1.0  # blur, in pixels, that takes the noise of a camera away
_SHARP, _OWN = 4.0, 3.0
"""Colours change sharply where neighbours differ in a and b by more than the first number plus the second
number's multiple of what is usual on the product."""


def kept_and_inked(lab: Plane, weight: Plane, matte: Plane) -> tuple[float, float]:
    """Return two shares of a product, without its rim.

    The first does not belong to the region. The second does, and has colours that change as sharply as in a
    print; cloth changes its hue softly, in folds and shine, or evenly, in its weave. ``lab``: the product in
    CIELAB, (H, W, 3). ``weight``, ``matte`` (H, W): the region and the product.
    """
    small, part, inside = (fitted(plane, _SIDE) for plane in (lab, weight, matte))
    inner = _inner(inside)
    kept = float((part[inner] < 0.5).mean())
    region = inner & (cv2.erode((part > 0.9).astype(np.uint8), _NEAR) > 0)
    if not region.any():
        return kept, 0.0
    tint = cv2.GaussianBlur(small, (0, 0), _SOFTENED)[..., 1:]
    change = np.linalg.norm(cv2.dilate(tint, _NEAR) - cv2.erode(tint, _NEAR), axis=-1)
    sharp = change > _SHARP + _OWN * np.median(change[region])
    return kept, float((sharp & region).sum() / inner.sum())


def _inner(matte: Plane) -> Mask:
    """Return the mask (H, W) of a product without its rim, or of a whole product if it is narrow."""
    inside = (matte > 0.95).astype(np.uint8)
    inner = cv2.erode(inside, _RIM, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    return inner if inner.any() else matte > 0.5
