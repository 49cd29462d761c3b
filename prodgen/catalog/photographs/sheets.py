"""Draw contact sheets of photographs and cut-outs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.picture_files import decode, printable
from prodgen.generation.sheet import contact_sheet
from prodgen.spec.colour import to_rgb

Item = TypeVar("Item")

MAX_PICTURES, COLUMNS = 120, 12
_CELL = 128
_SQUARE, _STRIP = 8, 8  # pixels of a square of the checkerboard, and of the strip of colours below a product


def sample(items: Sequence[Item]) -> list[Item]:
    """Return at most MAX_PICTURES random items in their order; equal calls return the same items."""
    if len(items) <= MAX_PICTURES:
        return list(items)
    rows = np.random.default_rng(0).choice(len(items), MAX_PICTURES, replace=False)
    return [items[row] for row in np.sort(rows)]


def on_checkerboard(rgba: NDArray[np.uint8], colours: Sequence[dict[str, Any]] = ()) -> Image.Image:
    """Draw premultiplied RGBA bytes (S, S, 4) on a checkerboard of white and mid-grey squares.

    A strip at the bottom shows ``colours``, dictionaries with the keys ``lab`` and ``share``.
    """
    light = np.add.outer(np.arange(_CELL) // _SQUARE, np.arange(_CELL) // _SQUARE) % 2
    background = np.where(light, 255, 160)[..., None]
    method = Image.Resampling.NEAREST if len(rgba) <= _CELL / 2 else Image.Resampling.BILINEAR
    # Resized by channel, because Pillow would take RGBA for colours that are not premultiplied.
    planes = [Image.fromarray(rgba[..., k]).resize((_CELL, _CELL), method) for k in range(4)]
    large = np.stack([np.asarray(plane) for plane in planes], -1).astype(np.float64)
    composite = large[..., :3] + background * (1 - large[..., 3:] / 255)
    pixels = np.clip(composite + 0.5, 0, 255).astype(np.uint8)
    start = 0.0
    for colour in colours:
        pixels[-_STRIP:, round(start) :] = (to_rgb(colour["lab"]) * 255).round()
        start += colour["share"] * _CELL
    return Image.fromarray(pixels)


def load_photograph(path: Path) -> Image.Image:
    """Return a photograph on a mid-grey square, or only the square if the file cannot be read."""
    square = Image.new("RGB", (_CELL, _CELL), (160, 160, 160))
    try:
        rgb = decode(path, _CELL).rgb
    except Exception:  # Pillow raises nearly any type for a broken file
        return square
    height, width = rgb.shape[:2]
    square.paste(Image.fromarray(rgb), ((_CELL - width) // 2, (_CELL - height) // 2))
    return square


def draw_sheet(path: Path, images: Sequence[Image.Image], labels: Sequence[str]) -> None:
    """Write a sheet of pictures with labels below to the file ``path``, unless there are no pictures."""
    if images:
        columns = min(COLUMNS, len(images))
        contact_sheet(images, [printable(label) for label in labels], _CELL, columns).save(path)
