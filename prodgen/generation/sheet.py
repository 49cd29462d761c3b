"""A labelled contact sheet."""

from collections.abc import Sequence
from math import ceil, sqrt

from PIL import Image, ImageDraw, ImageFont

from prodgen.generation.encode import on_white

_MARGIN = 6


def contact_sheet(
    images: Sequence[Image.Image], labels: Sequence[str], cell: int = 96, columns: int | None = None
) -> Image.Image:
    """The images in rows (of a near-square grid, by default), ``cell`` pixels wide, each over its label."""
    columns = columns or max(1, ceil(sqrt(len(images))))
    font = ImageFont.load_default(11)
    step_x, step_y = cell + _MARGIN, cell + _MARGIN + 14
    sheet = Image.new(
        "RGB", (columns * step_x + _MARGIN, ceil(len(images) / columns) * step_y + _MARGIN), "#f4f4f2"
    )
    draw = ImageDraw.Draw(sheet)
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        x, y = _MARGIN + k % columns * step_x, _MARGIN + k // columns * step_y
        whole = image.width * (cell // image.width) if image.width <= cell else cell
        method = Image.Resampling.NEAREST if image.width <= cell else Image.Resampling.LANCZOS
        inset = (cell - whole) // 2
        sheet.paste(on_white(image).resize((whole, whole), method), (x + inset, y + inset))
        draw.text((x + cell // 2, y + cell + 1), _shorten(label, cell, font), "#333333", font, anchor="ma")
    return sheet


def _shorten(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while font.getlength(text) > width and len(text) > 2:
        text = text[:-2] + "…"
    return text
