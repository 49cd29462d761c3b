"""Turn a mask into a matte with a soft edge, and remove the background's colour from that edge."""

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import SQUARE, Mask, Pixels, Plane

_RIM = 0.012
"""Half the width of the strip along the edge where the matte is soft, as a share of the longer side."""
_REGULARISER = 5e-3  # variance of luminance below which the guided filter ignores the photograph
_CLIP = 0.06  # a matte below this value becomes 0, and one above 1 minus this value becomes 1


def soft_matte(rgb: Pixels, mask: Mask) -> Plane:
    """Return a matte whose edge follows the photograph within a narrow strip around the mask's edge.

    It is a guided filter (He, Sun & Tang 2010) of the mask, guided by the photograph's luminance.
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
    """Replace the colours of pixels at the product's edge by the mean colour of the product near them."""
    inside = cv2.erode((matte > 1 - _CLIP).astype(np.float32), SQUARE)
    width = 2 * max(2, round(2 * _RIM * max(matte.shape))) + 1
    weight = cv2.GaussianBlur(inside, (width, width), 0)[..., None]
    near = cv2.GaussianBlur(rgb * inside[..., None], (width, width), 0)
    edge = (weight[..., 0] > 1e-3) & (inside == 0)
    clean = rgb.copy()
    clean[edge] = np.clip(near[edge] / weight[edge] + 0.5, 0, 255).astype(np.uint8)
    return clean
