"""A picture of any shape in a small square, as the network of `consensus` sees it, and back."""

import cv2
import numpy as np
from numpy.typing import NDArray

THUMB = 96
"""Pixels of a side."""


def to_thumb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) -> (THUMB, THUMB) or (THUMB, THUMB, 3): the whole in the middle, 0 beside it."""
    top, left, height, width = _place(pixels.shape)
    thumb = np.zeros((THUMB, THUMB, *pixels.shape[2:]), np.uint8)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    thumb[top : top + height, left : left + width] = small
    return thumb


def from_thumb(thumb: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """(THUMB, THUMB) -> the part of it that is the picture, enlarged to its shape (H, W)."""
    top, left, height, width = _place(shape)
    part = thumb[top : top + height, left : left + width]
    return cv2.resize(part, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def _place(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Where in the square a picture of that shape lies: top, left, height, width."""
    longer = max(shape[:2])
    height, width = (max(1, round(side * THUMB / longer)) for side in shape[:2])
    return (THUMB - height) // 2, (THUMB - width) // 2, height, width
