"""Cut products out of a background of one colour, as in the pictures of shops."""

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import SQUARE, Mask, Pixels, main_pieces, opened

_STRIP = 0.02  # width of the border that must be of one colour, as a share of the longer side
_MAX_DEVIATION, _UNIFORM_SHARE = 2.5, 0.98
"""At least this share of the border is within this CIELAB distance of the border's median."""
_DIFFERENT = 5.0  # CIELAB distance from the border's median at which a pixel is product
_MIN_COVERAGE, _MAX_COVERAGE = 0.02, 0.9


def cut_from_plain(rgb: Pixels) -> Mask | None:
    """Cut the product out of (H, W, 3) bytes, or return None if the background is not of one colour.

    Only what is connected with the border is background, so a white shirt on white keeps its inside.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    strip = max(1, round(_STRIP * max(rgb.shape)))
    sides = (lab[:strip], lab[-strip:], lab[:, :strip], lab[:, -strip:])
    border = np.concatenate([side.reshape(-1, 3) for side in sides])
    background = np.median(border, 0)
    if (np.linalg.norm(border - background, axis=1) <= _MAX_DEVIATION).mean() < _UNIFORM_SHARE:
        return None
    similar = np.linalg.norm(lab - background, axis=2) < _DIFFERENT
    # A frame of background connects all background at the border with the corner.
    framed = np.pad(similar, 1, constant_values=True).astype(np.uint8)
    _, labels = cv2.connectedComponents(framed, connectivity=4)
    product = (labels != labels[0, 0])[1:-1, 1:-1]
    mask = main_pieces(opened(product, SQUARE))
    return mask if _MIN_COVERAGE <= mask.mean() <= _MAX_COVERAGE else None
