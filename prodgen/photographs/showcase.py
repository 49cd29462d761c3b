"""Draw a sheet that shows which pictures can be made of photographs, with a row for each photograph."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from prodgen.catalog.picture_files import decode
from prodgen.photographs.cutout import CutOut, cut_out
from prodgen.photographs.cutters import Cutter
from prodgen.photographs.edit import Edit, make_pictures

COLOURS = ("crimson", "#e0862b", "#e3c04a", "#3f8f5b", "#2f6db5", "white")
_GAP = 6


def showcase(paths: Sequence[Path], cutter: Cutter, side: int = 180) -> Image.Image:
    """Return a sheet with a row of square cells for each photograph.

    A row has the photograph, its cut-out, the product in six colours before a studio's backdrop, and the
    product in the first of these colours on a floor.
    """
    rows = [_row(path, cutter, side) for path in paths]
    step = side + _GAP
    sheet = Image.new("RGB", (len(rows[0]) * step + _GAP, len(rows) * step + _GAP), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet.paste(picture, (_GAP + x * step, _GAP + y * step))
    return sheet


def _row(path: Path, cutter: Cutter, side: int) -> list[Image.Image]:
    photograph = decode(path, 4 * side)
    cut = cut_out(photograph, cutter)
    size = {"width": 2 * side, "height": 2 * side, "format": "png"}
    edits = (Edit(COLOURS, ("studio",), **size), Edit(COLOURS[:1], ("floor",), **size))
    made = [one for edit in edits for one in make_pictures(photograph, "", cut, cutter.name, edit)]
    pictures = [Image.open(io.BytesIO(picture.data)) for picture in made]
    return [_square(image, side) for image in (Image.fromarray(photograph.rgb), _chequered(cut), *pictures)]


def _chequered(cut: CutOut) -> Image.Image:
    """Return a cut-out on the grey chequers that stand for transparency."""
    y, x = np.indices(cut.matte.shape) // max(4, max(cut.matte.shape) // 32)
    ground = np.where((x + y) % 2, 255, 225)[..., None]
    alpha = cut.matte[..., None]
    return Image.fromarray((cut.rgb * alpha + ground * (1 - alpha)).round().astype(np.uint8))


def _square(image: Image.Image, side: int) -> Image.Image:
    """Return the middle square of a picture."""
    shorter = min(image.size)
    left, top = (image.width - shorter) // 2, (image.height - shorter) // 2
    box = (left, top, left + shorter, top + shorter)
    return image.resize((side, side), Image.Resampling.LANCZOS, box)
