"""Materials of products, drawn by code: patterns in two colours, and surfaces with light and shadow."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.masks import Plane

_SIDE = 512  # side, in pixels, at which materials are drawn

Grid = NDArray[np.float64]


class Material(NamedTuple):
    """One repeat of a material.

    ``repeat``: its height as a share of the product's longer side. ``share`` (H, W): how much of the second
    colour each pixel has. ``worn``: the share of the second colour that is added on folds that turn to the
    light. ``light`` (H, W): a factor for the colours, 1 on average. ``gloss``: the light that is added on
    folds that turn to the light. ``smooth``: the share of the photographed texture that is removed. ``first``
    and ``second``: the material's own colours, or None.

    ``rgb`` (H, W, 3) in [0, 1]: a picture that replaces the colours. ``generative``: whether the picture's
    marks say that a model made it. ``fault``: why the picture cannot be read.
    """

    repeat: float
    share: Plane | None = None
    light: Plane | None = None
    worn: float = 0.0
    gloss: float = 0.0
    smooth: float = 0.0
    first: str | None = None
    second: str | None = None
    rgb: NDArray[np.float32] | None = None
    generative: bool = False
    fault: str | None = None


def _stripes(x: Grid, y: Grid) -> Material:
    return Material(0.05, (y < 0.4).astype(np.float32))


def _dots(x: Grid, y: Grid) -> Material:
    """Return dots in diagonal rows: two dots in each repeat."""
    near = [(x - cx) ** 2 + (y - cy) ** 2 < 0.165**2 for cx, cy in ((0.25, 0.25), (0.75, 0.75))]
    return Material(0.085, (near[0] | near[1]).astype(np.float32))


def _checks(x: Grid, y: Grid) -> Material:
    return Material(0.06, ((x < 0.5) * 0.5 + (y < 0.5) * 0.5).astype(np.float32))


def _houndstooth(x: Grid, y: Grid) -> Material:
    """Return a twill of four light and four dark threads in both directions."""
    column, row = (x * 8).astype(int), (y * 8).astype(int)
    warp_on_top = (column - row) % 4 < 2
    return Material(0.036, np.where(warp_on_top, column < 4, row < 4).astype(np.float32))


def _denim(x: Grid, y: Grid) -> Material:
    """Return a twill of dark warp threads and pale weft threads that vary in brightness."""
    lines = 36
    rng = np.random.default_rng(1)
    twill = 0.5 + 0.5 * np.cos(2 * np.pi * lines * (x + y))
    along = _periodic_blur(rng.standard_normal((_SIDE, _SIDE)), 1.4, 40)
    across = _periodic_blur(rng.standard_normal((_SIDE, _SIDE)), 30, 1.0)
    grain = _periodic_blur(rng.standard_normal((_SIDE, _SIDE)), 1.2, 1.2)
    weft = np.clip(0.10 + 0.28 * twill**2 * (1 + 0.5 * grain) + 0.05 * along + 0.02 * across, 0, 1)
    light = 1 + 0.05 * along + 0.03 * grain
    share = weft.astype(np.float32)
    return Material(0.24, share, _mean_one(light), worn=0.3, first="#2f4a78", second="#b9c6d8")


def _knit(x: Grid, y: Grid) -> Material:
    """Return columns of stitches; each stitch is a V of two rounded legs."""
    columns, rows = 8, 10
    across = x * columns % 1
    leg = (2 * across) % 1
    along = (y * rows + 1.0 * np.abs(across - 0.5)) % 1
    height = np.sqrt(np.clip(1 - (2 * leg - 1) ** 2, 0, 1)) * np.sqrt(np.clip(1 - (2 * along - 1) ** 2, 0, 1))
    lit = _periodic_blur(height, 3, 3, standard=False)
    slope = np.roll(lit, (4, 4), (0, 1)) - lit
    return Material(0.13, None, _mean_one(0.62 + 0.5 * lit - 0.35 * slope))


def _leather(x: Grid, y: Grid) -> Material:
    """Return rounded grains with creases between the grains."""
    cells, rng = 32, np.random.default_rng(2)
    jitter = rng.random((cells, cells, 2)) * 0.9
    column, row = (x * cells).astype(int), (y * cells).astype(int)
    distances = []
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            seed = jitter[(row + down) % cells, (column + right) % cells]
            dx = column + right + seed[..., 0] - x * cells
            dy = row + down + seed[..., 1] - y * cells
            distances.append(np.hypot(dx, dy))
    first, second = np.sort(distances, 0)[:2]
    grain = np.clip((second - first) / 0.45, 0, 1)
    lit = _periodic_blur(grain, 2, 2, standard=False)
    shine = lit - np.roll(lit, (3, 3), (0, 1))  # the light comes from the upper left
    return Material(0.2, None, _mean_one(0.86 + 0.16 * grain**0.6 + 0.45 * shine), gloss=0.22, smooth=0.7)


MATERIALS: dict[str, Callable[[Grid, Grid], Material]] = {
    "stripes": _stripes,
    "dots": _dots,
    "checks": _checks,
    "houndstooth": _houndstooth,
    "denim": _denim,
    "knit": _knit,
    "leather": _leather,
}


@cache
def material(name: str) -> Material:
    """Return the material of this name in `MATERIALS`."""
    y, x = (np.indices((_SIDE, _SIDE)) + 0.5) / _SIDE
    return MATERIALS[name](x, y)


def _periodic_blur(noise: Grid, across: float, down: float, standard: bool = True) -> Grid:
    """Return a repeat blurred by standard deviations in pixels; the result repeats without a seam too.

    ``standard``: whether the result is scaled to mean 0 and standard deviation 1.
    """
    wide = np.pad(noise, _SIDE // 2, mode="wrap")
    inside = slice(_SIDE // 2, -_SIDE // 2)
    soft = cv2.GaussianBlur(wide, (0, 0), sigmaX=across, sigmaY=down)[inside, inside]
    return (soft - soft.mean()) / soft.std() if standard else soft


def _mean_one(light: Grid) -> Plane:
    return (light / light.mean()).astype(np.float32)
