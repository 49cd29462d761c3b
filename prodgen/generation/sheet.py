"""Contact sheets: one image with a grid of labelled images."""

from collections.abc import Sequence
from math import ceil, sqrt

from PIL import Image, ImageDraw, ImageFont

from prodgen.generation.encode import on_white

_MARGIN = 6


def contact_sheet(
    images: Sequence[Image.Image], labels: Sequence[str], cell: int = 96, columns: int | None = None
) -> Image.Image:
    """Return one image with ``images`` in a grid of cells of ``cell`` pixels, each above its label.

    ``columns``: number of columns; by default the grid is nearly square.
    """
    columns = columns or max(1, ceil(sqrt(len(images))))
    font = ImageFont.load_default(11)
    step_x, step_y = cell + _MARGIN, cell + _MARGIN + 14
    sheet = Image.new(
        "RGB", (columns * step_x + _MARGIN, ceil(len(images) / columns) * step_y + _MARGIN), "#f4f4f2"
    )
    draw = ImageDraw.Draw(sheet)
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        x, y = _MARGIN + k % columns * step_x, _MARGIN + k // columns * step_y
        paste_into_cell(sheet, image, x, y, cell)
        draw.text((x + cell // 2, y + cell + 1), _shorten(label, cell, font), "#333333", font, anchor="ma")
    return sheet


def paste_into_cell(sheet: Image.Image, image: Image.Image, x: int, y: int, cell: int) -> None:
    """Paste a square image into the middle of the cell at (x, y), on white if it has transparency.

    A small image is enlarged by a whole factor, which keeps its pixels sharp. A large image is scaled down.
    """
    small = image.width <= cell
    side = image.width * (cell // image.width) if small else cell
    inset = (cell - side) // 2
    method = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    sheet.paste(on_white(image).resize((side, side), method), (x + inset, y + inset))


def _shorten(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while font.getlength(text) > width and len(text) > 2:
        text = text[:-2] + "…"
    return text
