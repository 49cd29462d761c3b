"""Morphology, shape and overlap of product masks."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
"""(H, W), True where the product is."""
Plane = NDArray[np.float32]
"""(H, W) from 0 to 1."""

SQUARE = np.ones((3, 3), np.uint8)
_PIECE = 0.15  # least size of a further piece, such as the second shoe, as a share of the largest piece


def opened(mask: Mask, kernel: Pixels) -> Mask:
    """Remove the parts of a mask into which ``kernel`` does not fit."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)


def main_pieces(mask: Mask) -> Mask:
    """Keep the largest connected piece of a mask, and those that are not much smaller."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0  # the background
    return (areas >= _PIECE * areas.max())[labels] & mask


def fill_holes(mask: Mask, area: int) -> Mask:
    """Fill holes of fewer than ``area`` pixels: buttons and highlights, but not the gap between two legs."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < area
    small[0] = False  # the product
    return mask | small[labels]


def iou(one: Mask, other: Mask) -> NDArray[np.float64]:
    """Return the intersection over union of masks (..., H, W) as (...); 0 where both are empty."""
    intersection, union = ((one & other).sum((-2, -1)), (one | other).sum((-2, -1)))
    return intersection / np.maximum(union, 1)


def border_contact(mask: Mask) -> float:
    """Return the share of the picture's border that the product covers."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def solidity(mask: Mask) -> float:
    """Return the product's area as a share of its convex hull; all pieces have one hull."""
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    if len(points) < 3:
        return 0.0
    return float(len(points) / max(cv2.contourArea(cv2.convexHull(points)), len(points)))
