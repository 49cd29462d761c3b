"""Read a picture of a material, and make it repeat without a seam."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.masks import Plane
from prodgen.catalog.picture_files import decode, fault_of
from prodgen.errors import ProdgenError
from prodgen.photographs.materials import Material
from prodgen.spec.photograph import swatch_fault
from prodgen.spec.provenance import read_provenance

_SIDE = 1024  # longer side, in pixels, at which swatches are read
_REPEAT = 0.25  # height of a swatch, as a share of the product's longer side
_LEAST_REPEAT = 0.01  # least height of a swatch that its own marks may ask for
_STEP = 2.0  # a swatch repeats as it is if the step across its edge is at most this multiple of inner steps
_OVERLAP = 6  # one part in this many of a swatch is laid over the other end of the swatch
_SOFT_CUT = 1.5  # blur of the cut, in pixels

Rgb = NDArray[np.float32]


def read_swatch(data: bytes) -> Material:
    """Return the material of a picture file; raises ProdgenError if the file is no picture or too small.

    A damaged file gives a material that changes nothing, with the reason as its fault.
    """
    if fault := swatch_fault(data):
        raise ProdgenError(f"the swatch {fault}", param="attributes.material")
    try:
        rgb = decode(io.BytesIO(data), _SIDE).on_white()
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises nearly any type for a broken file
        return Material(_REPEAT, fault=f"the swatch cannot be read: {fault_of(error)}")
    tile = rgb.astype(np.float32) / np.float32(255)
    if not (_repeats(tile) and _repeats(tile.swapaxes(0, 1))):
        tile = _joined(_joined(_evenly_lit(tile)).swapaxes(0, 1)).swapaxes(0, 1)
    marks = read_provenance(io.BytesIO(data))
    height = (marks.recipe or {}).get("repeat")  # of a swatch that `prodgen swatch` has written
    if not isinstance(height, float) or not _LEAST_REPEAT <= height <= 1:
        height = _REPEAT
    return Material(height * tile.shape[0] / rgb.shape[0], rgb=tile, generative=marks.generative)


def _repeats(tile: Rgb) -> bool:
    """Return whether the last row differs from the first about as little as rows inside differ."""
    inside = float(np.abs(np.diff(tile, axis=0)).mean())
    return float(np.abs(tile[-1] - tile[0]).mean()) <= _STEP * inside + 1 / 255


def _evenly_lit(tile: Rgb) -> Rgb:
    """Return a photographed swatch without the light that grows from one side to the other."""
    light = tile.mean(-1)
    y, x = (np.indices(light.shape) + 0.5) / np.array(light.shape)[:, None, None] - 0.5
    slopes = np.stack([x.ravel(), y.ravel(), np.ones(light.size)], 1)
    fitted = (slopes @ np.linalg.lstsq(slopes, light.ravel(), rcond=None)[0]).reshape(light.shape)
    even: Rgb = (tile * (light.mean() / np.maximum(fitted, 0.05))[..., None]).clip(0, 1).astype(np.float32)
    return even


def _joined(tile: Rgb) -> Rgb:
    """Return a tile that repeats vertically: its last rows now cover its first rows, up to a cut.

    The cut is where it is least visible. The result is shorter by the moved rows.
    """
    rows = max(4, len(tile) // _OVERLAP)
    first, last = tile[:rows], tile[-rows:]
    cut = _cut(((first - last) ** 2).sum(-1))
    over = (np.arange(rows)[:, None] < cut).astype(np.float32)
    over = cv2.GaussianBlur(over, (0, 0), _SOFT_CUT)[..., None]
    joined = tile[:-rows].copy()
    joined[:rows] = over * last + (1 - over) * first
    return joined


def _cut(cost: Plane) -> NDArray[np.intp]:
    """Return the row in which the cheapest cut crosses each column of ``cost`` (H, W), as (W,) indices.

    The cut moves by at most one row from column to column. Its two ends nearly meet, because the columns are
    treated as repeating.
    """
    width = cost.shape[1]
    cost = np.concatenate([cost, cost], 1)
    cost[[0, -1]] = np.inf
    total, steps = cost[:, 0], []
    for column in cost.T[1:]:
        near = np.stack([np.r_[np.inf, total[:-1]], total, np.r_[total[1:], np.inf]])
        steps.append(near.argmin(0) - 1)
        total = near.min(0) + column
    cut = [int(total.argmin())]
    for step in reversed(steps):
        cut.append(cut[-1] + step[cut[-1]])
    middle = np.array(cut[::-1])[width // 2 : width // 2 + width]
    return np.roll(middle, width // 2)
