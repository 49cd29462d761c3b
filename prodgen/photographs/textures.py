"""Draw surfaces that products lie on, from noise that is the same on every machine."""

from functools import cache

import numpy as np
import torch
from kornia.geometry.transform import resize
from torch import Tensor
from torch.nn.functional import interpolate

from prodgen.spec.colour import levels

_SIDE = 1024
"""Side of a surface in pixels. A surface is scaled to the frame, so that it looks alike in each size."""
_BOARDS = 5
_PERIOD = 8  # pixels from thread to thread of the linen


def texture(name: str, height: int, width: int) -> Tensor:
    """Return the surface ``name`` of `TEXTURES`, cropped to the frame: (3, height, width) in [0, 1]."""
    side = max(height, width)
    surface = resize(_surface(name)[None], (side, side), interpolation="bicubic", antialias=True)[0]
    top, left = (side - height) // 2, (side - width) // 2
    return surface[:, top : top + height, left : left + width].clamp(0, 1)


@cache
def _surface(name: str) -> Tensor:
    colour, draw = TEXTURES[name]
    return (torch.tensor(levels(colour)) / 255).view(3, 1, 1) * draw()


def _wood() -> Tensor:
    """Return the light of horizontal boards, each with its own tone and joint."""
    chosen = np.random.default_rng(3)
    across = torch.arange(_SIDE).view(-1, 1) / _SIDE * _BOARDS
    board = across.long()[:, 0]
    tone = torch.from_numpy(chosen.uniform(-1, 1, _BOARDS).astype(np.float32))[board].view(-1, 1)
    joint = torch.from_numpy(chosen.integers(0, _SIDE, _BOARDS))[board].view(-1, 1)
    rings = torch.sin((9 * across + 1.3 * _noise(4, (24, 5, 1.0))) * 2 * torch.pi)
    grain = 0.5 * rings + _noise(5, (256, 6, 0.7), (512, 24, 0.5), (1024, 96, 0.35))
    along = torch.arange(_SIDE).view(1, -1)
    grain = grain.gather(1, (along - joint) % _SIDE)  # no board continues the grain of its neighbour
    from_middle = (across - across.floor() - 0.5).abs() * 2
    gap = ((from_middle - 0.985) / 0.015).clamp(0, 1).maximum(((along - joint).abs() < 1).float())
    return (1 + 0.05 * tone + 0.035 * grain) * (1 - 0.55 * gap)


def _concrete() -> Tensor:
    """Return the light of a smooth cast surface with clouds and a few pores."""
    octaves = ((3, 0.9), (9, 0.5), (40, 0.25), (160, 0.2), (512, 0.25), (1024, 0.3))
    clouds = _noise(7, *((size, size, weight) for size, weight in octaves))
    pores = (_noise(8, (300, 300, 1.0)) - 2.4).clamp(0, 0.6)
    return 1 + 0.022 * clouds - 0.25 * pores


def _linen() -> Tensor:
    """Return the light of a plain weave of uneven threads."""
    wave = torch.sin(torch.arange(_SIDE) * 2 * torch.pi / _PERIOD)
    warp, weft = wave.view(1, -1), wave.view(-1, 1)
    threads = _noise(11, (128, 8, 0.5)) + _noise(12, (8, 128, 0.5))
    weave = 0.5 * warp * weft + 0.3 * torch.maximum(warp, weft)
    return 1 + 0.035 * weave + 0.03 * threads + 0.015 * _noise(13, (4, 4, 0.6), (1024, 1024, 0.3))


def _noise(seed: int, *octaves: tuple[int, int, float]) -> Tensor:
    """Return a weighted sum of smooth noises, (side, side).

    ``octaves``: the rows and columns of each noise's grid of random values, and the noise's weight.
    """
    chosen, total = np.random.default_rng(seed), torch.zeros(1, 1, _SIDE, _SIDE)
    for rows, columns, weight in octaves:
        grid = torch.from_numpy(chosen.standard_normal((1, 1, rows, columns)).astype(np.float32))
        total += weight * interpolate(grid, size=(_SIDE, _SIDE), mode="bicubic", align_corners=True)
    return total[0, 0]


TEXTURES = {"wood": ("#c8a67e", _wood), "concrete": ("#c4c3c0", _concrete), "linen": ("#e4dccd", _linen)}
"""The surfaces by name: the colour, and the function that returns the light of each pixel, (side, side)."""
