"""Find where a material lies on a product: along the body and the limbs, and bent by the folds."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.masks import Mask, Plane

_BEND, _MOST_BEND = 0.04, 0.007
"""Shift of a material by a fold that doubles the light, and the largest shift, as shares of the product's
longer side."""
_SMALL = 200  # longer side, in pixels, at which limbs are found
_THICKNESS, _SEAM = 0.62, 5
"""A limb is thinner than the first number's share of the product's thickest part. The second number is the
width of the gap between limb and body, in pixels of the small picture."""
_LEAST_LIMB, _LEAST_LENGTH = 0.03, 1.3
"""Least share of the product that a limb covers, and least ratio of its length to its width."""
_OUTWARDS, _UPRIGHT = 0.4, 0.92
"""Least cosine of the angle between a limb and the line from the body to the limb, and largest cosine of the
angle between a limb and the vertical. Along a steeper limb, a material lies as on the body."""

Coordinates = NDArray[np.float32]


class _Limb(NamedTuple):
    """A limb of a product, such as a sleeve.

    ``middle``: (x, y), in shares of the longer side of the matte. ``direction``: the unit vector (x, y)
    along the limb, away from the body.
    """

    middle: NDArray[np.float32]
    direction: NDArray[np.float32]


def coordinates(cover: Plane, folds: Plane) -> Coordinates:
    """Return the place of each pixel on the cloth, (2, H, W): right and down, in shares of the longer side.

    ``cover`` (H, W) is the product's matte. ``folds`` (H, W): by how much each pixel is lighter than the
    cloth around it, as a share. On limbs such as sleeves, down is the direction away from the body, because
    cloth is cut so.
    """
    flat = np.indices(cover.shape, np.float32)[::-1] / np.float32(max(cover.shape))
    parts, limbs = _parts(cover)
    place = flat.copy()
    for number, limb in enumerate(limbs, 1):
        part = parts == number
        (x, y), (right, down) = flat[:, part] - limb.middle[:, None], limb.direction
        place[:, part] = x * down - y * right, x * right + y * down
    bent: Coordinates = place + np.clip(folds * np.float32(_BEND), -_MOST_BEND, _MOST_BEND)
    return bent


def _parts(cover: Plane) -> tuple[NDArray[np.intp], list[_Limb]]:
    """Return the number of the part that each pixel belongs to, (H, W), and the limbs; part 0 is the body."""
    scale = _SMALL / max(cover.shape)
    size = max(1, round(cover.shape[1] * scale)), max(1, round(cover.shape[0] * scale))
    product = cv2.resize(cover, size, interpolation=cv2.INTER_AREA) >= 0.5
    body = _body(product)
    seam = cv2.dilate(body.astype(np.uint8), np.ones((_SEAM, _SEAM), np.uint8)) > 0
    count, labels = cv2.connectedComponents((product & ~seam).astype(np.uint8), connectivity=4)
    limbs, masks = list[_Limb](), [body]
    for label in range(1, count):
        if limb := _limb(labels == label, body, product):
            limbs.append(limb)
            masks.append(labels == label)
    if not limbs:
        return np.zeros(cover.shape, np.intp), []
    distances = (cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) for mask in masks)
    large = [cv2.resize(one, cover.shape[1::-1], interpolation=cv2.INTER_LINEAR) for one in distances]
    return np.argmin(large, 0), limbs


def _body(product: Mask) -> Mask:
    """Return the mask of a product without the product's thin parts."""
    thickness = cv2.distanceTransform(np.pad(product, 1).astype(np.uint8), cv2.DIST_L2, 5).max()
    side = 2 * round(_THICKNESS * float(thickness)) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    body: Mask = cv2.morphologyEx(product.astype(np.uint8), cv2.MORPH_OPEN, disk) > 0
    return body


def _limb(part: Mask, body: Mask, product: Mask) -> _Limb | None:
    """Return a part of a product as a limb, or None if the part is too small, short or upright to be one."""
    if part.sum() < max(3, _LEAST_LIMB * product.sum()) or not body.any():
        return None
    points = np.argwhere(part)[:, ::-1].astype(np.float64)
    spread, axes = np.linalg.eigh(np.cov(points.T))
    middle, axis = points.mean(0), axes[:, 1]
    outwards = middle - np.argwhere(body)[:, ::-1].mean(0)
    along = float(axis @ outwards / max(float(np.linalg.norm(outwards)), 1e-6))
    is_long = spread[1] >= _LEAST_LENGTH**2 * spread[0]
    if not is_long or abs(along) < _OUTWARDS or abs(axis[1]) > _UPRIGHT:
        return None
    direction = (axis * np.sign(along)).astype(np.float32)
    return _Limb(((middle + 0.5) / _SMALL).astype(np.float32), direction)
