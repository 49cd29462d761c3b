"""A cut-out in the middle of a square, as a network learns from it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.cut import Pixels
from prodgen.catalog.photographs.refine import Plane

FILLED = 0.88
"""Of the square's side: the product's longer side."""
_SEEN = 0.5
"""The cover from which a pixel counts for the product's bounding box."""


def square(rgb: Pixels, cover: Plane, size: int) -> NDArray[np.uint8]:
    """(H, W, 3) and the cover of each pixel -> (size, size, 4), premultiplied, the product in the middle.

    Each pixel of the square is the mean of those that it covers. At least one must be covered by half.
    """
    rows, columns = (np.flatnonzero((cover >= _SEEN).any(axis)) for axis in (1, 0))
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    scale = FILLED * size / max(height, width)
    layers = np.dstack([rgb * (cover[..., None] / 255), cover]).astype(np.float32)
    # Shrunk by area to a whole number of pixels; then moved by part of a pixel into the very middle.
    left, top = columns[0] + width / 2, rows[0] + height / 2
    shape = max(1, round(cover.shape[1] * scale)), max(1, round(cover.shape[0] * scale))
    shrinks = scale < 1
    small = cv2.resize(layers, shape, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    scale_x, scale_y = shape[0] / cover.shape[1], shape[1] / cover.shape[0]
    move = np.array([[1, 0, size / 2 - left * scale_x], [0, 1, size / 2 - top * scale_y]], np.float32)
    placed = cv2.warpAffine(small, np.round(move), (size, size), flags=cv2.INTER_NEAREST)
    opaque = np.clip(placed[..., 3:], 0, 1)
    premultiplied = np.concatenate([np.minimum(np.maximum(placed[..., :3], 0), opaque), opaque], 2)
    return (premultiplied * 255 + 0.5).astype(np.uint8)
