"""Letterbox pictures to the small squares that the segmenter takes, and back."""

import cv2
import numpy as np
from numpy.typing import NDArray

THUMBNAIL = 96
"""Side of a thumbnail in pixels."""


def to_thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fit (H, W) or (H, W, 3) bytes in the middle of (THUMBNAIL, THUMBNAIL) or (..., 3), on black."""
    top, left, height, width = _box(pixels.shape)
    thumbnail = np.zeros((THUMBNAIL, THUMBNAIL, *pixels.shape[2:]), np.uint8)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    thumbnail[top : top + height, left : left + width] = small
    return thumbnail


def from_thumbnail(thumbnail: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Enlarge the picture within (THUMBNAIL, THUMBNAIL) bytes to its own shape (H, W)."""
    top, left, height, width = _box(shape)
    picture = thumbnail[top : top + height, left : left + width]
    return cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def _box(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the top, left, height and width of a picture of shape (H, W) within its thumbnail."""
    longer = max(shape[:2])
    height, width = (max(1, round(side * THUMBNAIL / longer)) for side in shape[:2])
    return (THUMBNAIL - height) // 2, (THUMBNAIL - width) // 2, height, width
