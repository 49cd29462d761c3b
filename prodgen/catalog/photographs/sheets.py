"""Contact sheets, to see at a glance what was cut out and what was set aside."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.photographs.read import read_photograph
from prodgen.catalog.picture_files import printable
from prodgen.generation.sheet import contact_sheet
from prodgen.spec.colour import to_rgb

MOST = 120
"""Pictures on a sheet; of more a random choice."""
_CELL = 128
_SQUARE, _STRIP = 8, 8
"""Pixels of the checkerboard's squares, and of the strip of colours below a product."""


def chosen(rows: Sequence[int]) -> list[int]:
    """At most MOST of ``rows``, the same at every call, in their order."""
    if len(rows) <= MOST:
        return list(rows)
    return sorted(np.random.default_rng(0).choice(np.array(rows), MOST, replace=False).tolist())


def on_checks(rgba: NDArray[np.uint8]) -> Image.Image:
    """(S, S, 4) premultiplied bytes -> the product on white and mid-grey squares."""
    light = np.add.outer(np.arange(_CELL) // _SQUARE, np.arange(_CELL) // _SQUARE) % 2
    ground = np.where(light, 255, 160)[..., None]
    method = Image.Resampling.NEAREST if len(rgba) <= _CELL / 2 else Image.Resampling.BILINEAR
    # Channel by channel: Pillow would take the colours for not premultiplied.
    planes = [Image.fromarray(rgba[..., k]).resize((_CELL, _CELL), method) for k in range(4)]
    large = np.stack([np.asarray(plane) for plane in planes], -1).astype(np.float64)
    seen = large[..., :3] + ground * (1 - large[..., 3:] / 255)
    return Image.fromarray(np.clip(seen + 0.5, 0, 255).astype(np.uint8))


def with_colours(image: Image.Image, colours: Sequence[tuple[Sequence[float], float]]) -> Image.Image:
    """The picture with its CIELAB colours in a strip at the bottom, each as wide as its share."""
    strip = np.zeros((1, image.width, 3), np.uint8)
    start = 0.0
    for lab, share in colours:
        strip[0, round(start) :] = (to_rgb(lab) * 255).round()
        start += share * image.width
    image.paste(Image.fromarray(strip).resize((image.width, _STRIP)), (0, image.height - _STRIP))
    return image


def photograph(path: Path) -> Image.Image:
    """A picture on a square of mid-grey; nothing but the grey if it cannot be read."""
    square = Image.new("RGB", (_CELL, _CELL), (160, 160, 160))
    try:
        rgb = read_photograph(path, _CELL).rgb
    except Exception:  # a broken file makes Pillow raise nearly anything
        return square
    height, width = rgb.shape[:2]
    square.paste(Image.fromarray(rgb), ((_CELL - width) // 2, (_CELL - height) // 2))
    return square


def sheet(path: Path, images: Sequence[Image.Image], labels: Sequence[str], columns: int) -> None:
    """Write the pictures, each over its label, in rows."""
    contact_sheet(images, [printable(label) for label in labels], _CELL, min(columns, len(images))).save(path)
