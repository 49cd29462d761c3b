"""Tell patches of a product that differ only by their light from prints.

Ink ends within a pixel or two. Light turns into shadow, or into shine, over the width of a fold. So the width
of a patch's border tells light from a print, if the patch has a colour that light can make of the cloth's.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import SQUARE, Mask, Plane, fitted

_SIDE = 400  # longer side, in pixels, at which patches are found
_LEAST = 12  # least pixels of a patch whose border is measured
_REACH = 6  # pixels around a patch in which its border and the cloth beside it are looked at
_AROUND = np.ones((2 * _REACH + 1,) * 2, np.uint8)
_WIDE = 1.65  # mean width of a border, in pixels, from which a patch is light or shadow
_MIXED = 0.25, 0.75  # pixels of a border are so far on the way from the cloth's colour to the patch's
_MOST_SHINE = 0.02  # largest share of the product in one patch of shine: a larger patch is a lining
_TINT, _TINT_OF_SHINE, _PURER = 12.0, 16.0, 1.2
"""Largest distances in a and b from a colour that light makes of the cloth's, where it is darker and where it
is lighter (a camera clips blue shine to cyan), and how much purer than the cloth such a colour may be."""
_MOST_TINTED = 0.15  # largest share of a patch of light whose pixels have other colours
_CHROMA, _LEAST_INK = 15.0, 0.25
"""A patch is printed if at least the second share of its pixels has a chroma above the first number and a
colour that light cannot make."""


def lit(lab: Plane, weight: Plane, matte: Plane) -> Plane:
    """Return a region's weight (H, W) with the patches added that are the region's cloth in other light.

    ``lab``: the product in CIELAB, (H, W, 3). ``weight``, ``matte`` (H, W): the region and the product.
    """
    small, part, inside = (fitted(plane, _SIDE) for plane in (lab, weight, matte))
    product = inside > 0.95
    region, found = product & (part > 0.9), np.zeros_like(part)
    for box, patch in patches_of(product & (part < 0.5), _LEAST, _REACH + 1):
        if _is_light(small[box], patch, region[box], product[box], patch.sum() / product.sum()):
            found[box][patch] = 1
    if not found.any():
        return weight
    large = cv2.resize(cv2.dilate(found, SQUARE), weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.maximum(weight, large)


def patches_of(mask: Mask, least: int = 1, margin: int = 1) -> Iterator[tuple[tuple[slice, slice], Mask]]:
    """Yield the box of each connected patch of a mask (H, W), and the patch's own mask within this box.

    Work on a patch is far faster in its box, which has ``margin`` pixels around the patch. Patches of fewer
    than ``least`` pixels are left out.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    for label in 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least):
        left, top, wide, high, _ = stats[label].tolist()
        rows = slice(max(0, top - margin), top + high + margin)
        box = rows, slice(max(0, left - margin), left + wide + margin)
        yield box, labels[box] == label


def is_ink(colours: Plane, cloth: Plane) -> bool:
    """Return whether the colours (N, 3) of a patch show a print: many are of a hue that light cannot make."""
    inked = (_tints(colours, cloth) > _TINT) & (np.linalg.norm(colours[:, 1:], axis=1) > _CHROMA)
    return bool(inked.mean() >= _LEAST_INK)


def _is_light(lab: Plane, patch: Mask, region: Mask, product: Mask, share: float) -> bool:
    """Return whether a patch, ``share`` of the product, is the region's cloth in other light."""
    near = cv2.dilate(patch.astype(np.uint8), _AROUND) > 0
    ring = near & region
    if ring.sum() < _LEAST:
        return False
    core = cv2.erode(patch.astype(np.uint8), SQUARE) > 0
    core = core if core.sum() > _LEAST / 2 else patch
    cloth, colour = np.median(lab[ring], 0), np.median(lab[core], 0)
    shines = colour[0] > cloth[0]
    tinted = _tints(lab[core], cloth) > (_TINT_OF_SHINE if shines else _TINT)
    if tinted.mean() > _MOST_TINTED or (shines and share > _MOST_SHINE):
        return False
    apart = colour - cloth
    way = (lab - cloth) @ apart / max(float(apart @ apart), 1e-3)
    mixed = near & product & (way > _MIXED[0]) & (way < _MIXED[1])
    beyond = (near & product & (way > 0.5)).astype(np.uint8)
    inner = cv2.erode(product.astype(np.uint8), SQUARE) > 0
    border = (beyond > 0) & (cv2.erode(beyond, SQUARE) == 0) & inner
    return bool(mixed.sum() > _WIDE * max(1, int(border.sum())))


def _tints(colours: Plane, cloth: Plane) -> Plane:
    """Return the distances (N,) in a and b of colours (N, 3) from those that light can make of a cloth's.

    Shadow scales a colour towards black. Shine adds white, which makes a colour paler.
    """
    own = float(np.linalg.norm(cloth[1:]))
    darker = np.clip((colours[:, 0] + 16) / (cloth[0] + 16), 0, 1)
    along = colours[:, 1:] @ (cloth[1:] / max(own, 1e-3))
    shade = np.where(colours[:, 0] < cloth[0], own * darker, np.clip(along, 0, _PURER * own))
    nearest = shade[:, None] * cloth[1:] / max(own, 1e-3)
    distances: Plane = np.linalg.norm(colours[:, 1:] - nearest, axis=1)
    return distances
