"""Masks of products: their morphology, shape and overlap, and the mattes with soft edges made from them."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
"""(H, W), True where the product is."""
Plane = NDArray[np.float32]
"""(H, W) values from 0 to 1, such as a matte or a probability."""

SQUARE = np.ones((3, 3), np.uint8)
_PIECE = 0.15  # least size of a further piece, such as the second shoe, as a share of the largest piece
_RIM = 0.012
"""Half the width of the strip along the edge where the matte is soft, as a share of the longer side."""
_REGULARISER = 5e-3  # variance of luminance below which the guided filter ignores the photograph
_CLIP = 0.06  # a matte below this value becomes 0, and one above 1 minus this value becomes 1


def opened(mask: Mask, kernel: Pixels) -> Mask:
    """Return the morphological opening of a mask: without the parts that are thinner than ``kernel``."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)


def main_pieces(mask: Mask) -> Mask:
    """Return a mask's largest connected piece, and its other pieces with at least _PIECE of that area."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0  # the background
    return (areas >= _PIECE * areas.max())[labels] & mask


def fill_holes(mask: Mask, area: int) -> Mask:
    """Return a mask without its holes of fewer than ``area`` pixels, such as buttons; larger gaps stay."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < area
    small[0] = False  # the product
    return mask | small[labels]


def iou(one: Mask, other: Mask) -> NDArray[np.float64]:
    """Return the intersection over union (...) of masks (..., H, W); 0 where both masks are empty."""
    intersection, union = ((one & other).sum((-2, -1)), (one | other).sum((-2, -1)))
    return intersection / np.maximum(union, 1)


def bounding_box(mask: Mask) -> tuple[int, int, int, int]:
    """Return the product's top, left, bottom and right in pixels; bottom and right are exclusive.

    The mask must be true at one pixel or more.
    """
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def fitted(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    """Shrink pixels (H, W, ...) until the longer side is at most ``side``."""
    scale = min(1.0, side / max(pixels.shape[:2]))
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return pixels if scale == 1.0 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def border_contact(mask: Mask) -> float:
    """Return the share of the picture's border that the product covers."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def solidity(mask: Mask) -> float:
    """Return the product's area divided by the area of the convex hull around all its pieces."""
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    if len(points) < 3:
        return 0.0
    return float(len(points) / max(cv2.contourArea(cv2.convexHull(points)), len(points)))


def soft_matte(rgb: Pixels, mask: Mask) -> Plane:
    """Return a matte of a mask; near the mask's edge, the matte follows the edges in the photograph.

    A guided filter (He, Sun & Tang 2010) softens the mask, guided by the photograph's luminance.
    """
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    radius = max(1, round(_RIM * max(mask.shape)))
    box = (2 * radius + 1, 2 * radius + 1)

    def mean(plane: Plane) -> Plane:
        return cv2.blur(plane, box, borderType=cv2.BORDER_REFLECT)

    hard = mask.astype(np.float32)
    mean_guide, mean_hard = mean(guide), mean(hard)
    variance = mean(guide * guide) - mean_guide**2
    slope = (mean(guide * hard) - mean_guide * mean_hard) / (variance + _REGULARISER)
    offset = mean_hard - slope * mean_guide
    soft = mean(slope) * guide + mean(offset)
    soft = np.clip((soft - _CLIP) / (1 - 2 * _CLIP), 0, 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, box)
    inside = cv2.erode(mask.astype(np.uint8), disc, borderType=cv2.BORDER_REPLICATE)
    reach = cv2.dilate(mask.astype(np.uint8), disc)
    return np.where(inside, 1, np.where(reach, soft, 0)).astype(np.float32)


def decontaminate(rgb: Pixels, matte: Plane) -> Pixels:
    """Return a copy of ``rgb``; pixels at the product's edge get the mean colour of the nearby product."""
    inside = cv2.erode((matte > 1 - _CLIP).astype(np.float32), SQUARE)
    width = 2 * max(2, round(2 * _RIM * max(matte.shape))) + 1
    weight = cv2.GaussianBlur(inside, (width, width), 0)[..., None]
    near = cv2.GaussianBlur(rgb * inside[..., None], (width, width), 0)
    edge = (weight[..., 0] > 1e-3) & (inside == 0)
    clean = rgb.copy()
    clean[edge] = np.clip(near[edge] / weight[edge] + 0.5, 0, 255).astype(np.uint8)
    return clean
