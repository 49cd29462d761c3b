"""Draw the shadow of a product: on the ground below it, on the wall behind it, or on the floor."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from kornia.geometry.transform import resize
from torch import Tensor
from torch.nn.functional import pad

from prodgen.catalog.photographs.masks import Plane, bounding_box
from prodgen.spec.finish import Light, Pose

_SIDE = 256  # longer side, in pixels, at which shadows are blurred; they have no finer detail
_SOFT = ((0.006, 0.38, 0.002, 0.005), (0.035, 0.30, 0.008, 0.022))
"""Blur, strength, and shift to the right and down of the narrow and of the wide shadow. All but the strength
are shares of the frame's longer side. The light comes from the upper left."""
_FLAT = ((0.005, 0.34, 0, 0.001), (0.02, 0.22, 0, 0.002), (0.05, 0.20, 0, 0.004))
"""The shadows, as in `_SOFT`, of a product that lies in soft light from above."""
_CAST = ((0.005, 0.30, 0.003), (0.016, 0.24, 0.022), (0.035, 0.22, 0.05))
_ON_WALL = ((0.012, 0.20, 0.035), (0.024, 0.24, 0.06))
"""Blur, strength and length of shadows in light from one side: on the ground, and on a wall. A longer shadow
is softer. A hanging product does not touch the wall, so it has no narrow shadow."""
_AWAY: dict[Light, tuple[float, float]] = {"left": (1, 0.35), "right": (-1, 0.35), "back": (0, 1)}
"""The direction of a shadow, to the right and down, by the side from which the light comes."""
_UPPER_LEFT = (0.4, 0.8)
_FLOOR: dict[Light | None, tuple[float, float]] = {
    None: (0.1, -0.08),
    "left": (0.5, -0.16),
    "right": (-0.5, -0.16),
    "back": (0.1, 0.3),
}
"""How far a shadow on the floor reaches to the right and down for each pixel of the product's height."""
_FLOOR_BLUR, _FLOOR_STRENGTH = 0.02, 0.30
_TOUCHING, _SOLE = 0.12, 0.03
"""A standing product touches the floor where its outline ends within the lowest part of its height, the first
share. There, the pixels from the outline up to the second share of the height darken the floor."""
_CONTACT = ((0.004, 0.45, 0.003), (0.014, 0.35, 0.008))
"""Blur, strength and shift down of the shadows where a standing product touches the floor."""


def light_kept(alpha: Tensor, light_from: Light | None = None, pose: Pose | None = None) -> Tensor:
    """Return the share of light that the shadows of a product leave on the ground, (1, 1, H, W).

    ``alpha``: the product's coverage (1, 1, H, W). ``light_from``: the side from which the light comes, or
    None for soft light. ``pose``: None is a lying product; its soft light comes from the upper left.
    """
    height, width = alpha.shape[2:]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = resize(alpha, size, interpolation="area", antialias=False) if scale < 1 else alpha
    dark = torch.zeros_like(small)
    layers = _standing(small, light_from) if pose == "standing" else _moved(small, light_from, pose)
    for layer, blur, strength in layers:
        sigma = max(0.6, blur * max(size))
        kernel = 2 * math.ceil(3 * sigma) + 1
        soft = gaussian_blur2d(layer, (kernel, kernel), (sigma, sigma), border_type="constant")
        dark = 1 - (1 - dark) * (1 - strength * soft)
    return 1 - resize(dark, (height, width), interpolation="bilinear").clamp(0, 1)


def _moved(
    alpha: Tensor, light_from: Light | None, pose: Pose | None
) -> Iterator[tuple[Tensor, float, float]]:
    """Yield the shadows (1, 1, H, W) of a lying or hanging product, each with its blur and its strength."""
    side = max(alpha.shape[2:])
    if pose == "hanging" or light_from:
        right, down = _AWAY[light_from] if light_from else _UPPER_LEFT
        cast = _ON_WALL if pose == "hanging" else _CAST
        shadows = tuple((blur, strength, right * way, down * way) for blur, strength, way in cast)
    else:
        shadows = _FLAT if pose == "flat" else _SOFT
    for blur, strength, right, down in shadows:
        x, y = round(right * side), round(down * side)
        yield pad(alpha, (x, -x, y, -y)), blur, strength


def _standing(alpha: Tensor, light_from: Light | None) -> Iterator[tuple[Tensor, float, float]]:
    """Yield the shadows (1, 1, H, W) of a standing product, each with its blur and its strength."""
    cover: Plane = alpha[0, 0].numpy()
    height, width = cover.shape
    top, _, bottom, _ = bounding_box(cover >= 0.5) if (cover >= 0.5).any() else (0, 0, height, width)
    right, down = _FLOOR[light_from]
    onto_floor = np.array([[1, -right, right * bottom], [0, -down, (1 + down) * bottom]], np.float32)
    yield _layer(cv2.warpAffine(cover, onto_floor, (width, height))), _FLOOR_BLUR, _FLOOR_STRENGTH
    rows, tall = np.arange(height)[:, None], bottom - top
    ends = np.where(cover >= 0.5, rows, -1).max(0)
    touching = (ends >= bottom - _TOUCHING * tall) & (rows > ends - max(1, _SOLE * tall))
    for blur, strength, shift in _CONTACT:
        y = round(shift * max(height, width))
        yield pad(_layer(np.where(touching, cover, np.float32(0))), (0, 0, y, -y)), blur, strength


def _layer(plane: Plane) -> Tensor:
    return torch.from_numpy(plane)[None, None]
