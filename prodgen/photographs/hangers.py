"""Find the hanger that a product hangs on, from the outline of the product and its colours."""

from typing import NamedTuple

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import Mask, Pixels, bounding_box, fitted, opened

_SIDE = 240  # longer side of the product, in pixels, at which hooks and clips are found
_NARROW, _LEAST_WIDE = 0.14, 0.03  # largest and least width of a hook or a clip, as shares of the product's
_SHOULDERS = 0.25  # share of the height, from the top, whose width is the width of the shoulders
_TOP, _LEAST_HIGH, _MOST_HIGH = 0.06, 0.028, 0.1
"""Largest distance of a part from the product's top, least height of a part, and largest height of a clip, as
shares of the product's height. The straps of a dress are higher than clips."""
_MIDDLE, _HOOK_WIDE, _HOOK_LONG = 0.09, 0.25, 0.2
"""Largest distance of a hook from the middle and largest width of a hook, as shares of the shoulders' width;
largest height of a hook, as a share of the product's: the inner side of a shoe is higher."""
_CLIPS = 0.18, 0.46  # range of the distances of clips from the middle, as shares of the shoulders' width
_NEAR = np.ones((9, 9), np.uint8)  # reach of the cloth beside a part
_MOST_CHROMA, _CONTRAST = 14.0, 11.5
"""Largest chroma of a hook or a clip (black, white, clear or of metal), and the least CIELAB distance of both
from the product's colour or from the cloth beside it."""
_WIRE, _WIRE_WIDE, _WIRE_TOP, _WIRE_HIGH = 0.04, 0.2, 0.03, 0.035
"""Thickness of wire as a share of the longer side; largest width of a hook of wire as a share of the
shoulders'; largest distance of the hook from the top and its least height, as shares of the height."""
_GAP_TOP, _GAP_WIDE, _LEAST_GAP = 0.12, 0.45, 0.0005
"""Largest distance of a gap from the top as a share of the height; largest width of the product above the gap
as a share of the shoulders' width; and least area of the gap as a share of the product's."""
_UNDER_WIDE, _UNDER_HIGH = 0.35, 0.08
"""Least width and largest height of a gap below a bar, as shares of the product's."""
_BAR_SIDE = 200  # longer side of the product, in pixels, at which bars are found
_BAR_CONTRAST = 25.0  # CIELAB distance of a bar from the product's colour
_BAR_WIDE, _BAR_HIGH = 0.6, 0.2  # least width, largest height: shares of the product's
_HOOK_HIGH, _HOOK_WIDEST, _HOOK_ASIDE = 0.015, 0.35, 0.1
"""Height of a bar's hook as a share of the product's; its largest width and its largest distance from the
middle of the bar, as shares of the bar's width."""


class _Part(NamedTuple):
    """A narrow part at the top of a product: its height, its width, and its distance from the middle."""

    high: float
    wide: float
    aside: float


class _Shoulders(NamedTuple):
    """The middle of a product's shoulders, and their width, in pixels."""

    middle: float
    width: float


def has_hanger(rgb: Pixels, mask: Mask, method: int) -> bool:
    """Return whether a product in (H, W, 3) bytes with its mask (H, W) hangs on a hanger.

    Methods 1 to 3 find only a wide, flat bar with a hook. Method 4 finds a hook above the middle of the
    shoulders, and the clips of a hanger for trousers, on both sides of the waist. Method 5 also finds a thin
    hook, and a gap between hanger and collar, of any colour.
    """
    if method < 4:
        return _has_bar(rgb, mask)
    top, left, bottom, right = bounding_box(mask)
    box = slice(top, bottom), slice(left, right)
    product = fitted(mask[box].astype(np.float32), _SIDE) > 0.5
    across = np.flatnonzero(product[: max(1, round(_SHOULDERS * len(product)))].any(0))
    if not across.size:  # the top is thinner than a pixel, as a chain is
        return False
    shoulders = _Shoulders((across[0] + across[-1]) / 2, float(np.ptp(across) + 1))
    parts = _narrow_parts(fitted(rgb[box], _SIDE), product, shoulders)
    hooks = (part for part in parts if part.wide <= _HOOK_WIDE and part.high <= _HOOK_LONG)
    if any(abs(part.aside) <= _MIDDLE for part in hooks):
        return True
    clips = [part for part in parts if _CLIPS[0] <= abs(part.aside) <= _CLIPS[1] and part.high < _MOST_HIGH]
    if {part.aside > 0 for part in clips} == {True, False}:
        return True
    return method > 4 and (_has_wire(product, shoulders) or _has_gap(product, shoulders))


def _narrow_parts(rgb: Pixels, product: Mask, shoulders: _Shoulders) -> list[_Part]:
    """Return the narrow parts at a product's top that have no clear hue and differ from the cloth."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    height, width = product.shape
    line = np.ones((1, max(3, round(_NARROW * width))), np.uint8)
    wide = opened(np.pad(product, ((0, 0), (width, width))), line)[:, width:-width]
    _, labels, stats, _ = cv2.connectedComponentsWithStats((product & ~wide).astype(np.uint8))
    middle, span = shoulders
    own, found = np.median(lab[product], 0), []
    for label, (x, y, across, high, _) in enumerate(stats[1:], 1):
        if y > _TOP * height or high < _LEAST_HIGH * height or across < _LEAST_WIDE * width:
            continue
        part = labels == label
        colour = np.median(lab[part], 0)
        beside = (cv2.dilate(part.astype(np.uint8), _NEAR) > 0) & wide
        cloth = np.median(lab[beside], 0) if beside.any() else own
        apart = max(np.linalg.norm(colour - own), np.linalg.norm(colour - cloth))
        if np.linalg.norm(colour[1:]) <= _MOST_CHROMA and apart >= _CONTRAST:
            found.append(_Part(high / height, across / span, (x + across / 2 - middle) / span))
    return found


def _has_wire(product: Mask, shoulders: _Shoulders) -> bool:
    """Return whether a product has a hook as thin as wire near the middle of its top.

    A higher hook may be farther from the middle, because a product hangs aslant.
    """
    middle, span = shoulders
    height, side = len(product), max(3, round(_WIRE * max(product.shape)))
    wire = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    padded = np.pad(product, side)
    thin = (padded & ~opened(padded, wire))[side:-side, side:-side]
    _, _, stats, _ = cv2.connectedComponentsWithStats(thin.astype(np.uint8))
    return any(
        y <= _WIRE_TOP * height
        and high >= _WIRE_HIGH * height
        and across <= _WIRE_WIDE * span
        and abs(x + across / 2 - middle) / span <= high / height
        for x, y, across, high, _ in stats[1:]
    )


def _has_gap(product: Mask, shoulders: _Shoulders) -> bool:
    """Return whether a product has a hole below a narrow top, as between a hanger and a collar."""
    middle, span = shoulders
    _, _, stats, _ = cv2.connectedComponentsWithStats((~np.pad(product, 1)).astype(np.uint8), connectivity=4)
    for x, y, across, _, area in stats[1:] - np.array([1, 1, 0, 0, 0]):
        top = np.flatnonzero(product[: max(1, y)].any(0))
        if not 0 < y <= _GAP_TOP * len(product) or area < _LEAST_GAP * product.sum() or not top.size:
            continue
        if abs(x + across / 2 - middle) <= _MIDDLE * span and np.ptp(top) + 1 <= _GAP_WIDE * span:
            return True
    return False


def has_bar_above(mask: Mask) -> bool:
    """Return whether a product (H, W) has a wide, low hole at its top, as below the bar of a hanger.

    The hole below the handle of a bag is higher.
    """
    if not mask.any():
        return False
    top, left, bottom, right = bounding_box(mask)
    product = fitted(mask[top:bottom, left:right].astype(np.float32), _SIDE) > 0.5
    height, width = product.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats((~np.pad(product, 1)).astype(np.uint8), connectivity=4)
    return any(
        1 < y <= _GAP_TOP * height and across >= _UNDER_WIDE * width and high <= _UNDER_HIGH * height
        for _, y, across, high, _ in stats[1:]
    )


def _has_bar(rgb: Pixels, mask: Mask) -> bool:
    """Return whether a product has a wide, flat part of another colour with a hook at its top.

    A belt at the top of a skirt and the collar of a shirt may have another colour too, but have no hook.
    """
    top, left, bottom, right = bounding_box(mask)
    part = slice(top, bottom), slice(left, right)
    product = fitted(mask[part].astype(np.float32), _BAR_SIDE) > 0.5
    lab = cv2.cvtColor(fitted(rgb[part], _BAR_SIDE).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    apart = np.linalg.norm(lab - np.median(lab[product], 0), axis=2)
    _, labels = cv2.connectedComponents((product & (apart > _BAR_CONTRAST)).astype(np.uint8))
    height, width = product.shape
    high = max(1, round(_HOOK_HIGH * height))
    hook = np.flatnonzero(product[:high].any(0))
    for label in np.unique(labels[:high][product[:high]]):
        _, start, lower, end = bounding_box(labels == label)
        is_flat = label and end - start > _BAR_WIDE * width and lower < _BAR_HIGH * height
        aside = abs(float(hook.mean()) - (start + end) / 2) / (end - start)
        if is_flat and aside < _HOOK_ASIDE and np.ptp(hook) < _HOOK_WIDEST * (end - start):
            return True
    return False
