"""Product pictures on a ground of one colour, as shops have them."""

import cv2
import numpy as np

from prodgen.catalog.photographs.cut import Mask, Pixels, pieces

_STRIP = 0.02
"""Of the longer side: the border that must be of one colour."""
_ALIKE, _ALIKE_SHARE = 2.5, 0.98
"""How much of the border is how near to its own median, in CIELAB."""
_DIFFERS = 5.0
"""From the ground, in CIELAB: what is nearer, and connected with the border, is ground."""
_LEAST, _MOST = 0.02, 0.9
"""Of the picture: what a product takes up."""


def plain_cut(rgb: Pixels) -> Mask | None:
    """(H, W, 3) bytes -> (H, W): True where the product is; None if the ground is not of one colour.

    A white shirt on white keeps its white: only what hangs together with the border is ground.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    strip = max(1, round(_STRIP * max(rgb.shape)))
    sides = (lab[:strip], lab[-strip:], lab[:, :strip], lab[:, -strip:])
    border = np.concatenate([side.reshape(-1, 3) for side in sides])
    ground = np.median(border, 0)
    if (np.linalg.norm(border - ground, axis=1) <= _ALIKE).mean() < _ALIKE_SHARE:
        return None
    like_ground = np.linalg.norm(lab - ground, axis=2) < _DIFFERS
    # A frame of ground all round makes the whole of it one piece, beginning at the corner.
    framed = np.pad(like_ground, 1, constant_values=True).astype(np.uint8)
    _, labels = cv2.connectedComponents(framed, connectivity=4)
    product = (labels != labels[0, 0])[1:-1, 1:-1]
    opened = cv2.morphologyEx(product.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    found = pieces(opened.astype(bool))
    return found if _LEAST <= found.mean() <= _MOST else None
