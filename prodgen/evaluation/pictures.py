"""Rows of images with a title, headings and captions, for people who see them for the first time."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from PIL import Image, ImageDraw, ImageFont

from prodgen.generation.encode import on_white

CELL, GAP, LINE, MARGIN = 72, 6, 14, 12


@dataclass(frozen=True)
class Row:
    """``label`` stands to the left of its images, a caption under each."""

    label: str
    images: Sequence[Image.Image]
    captions: Sequence[str] = ()


def table_of_images(title: str, headings: Sequence[str], rows: Sequence[Row], blocks: int = 1) -> Image.Image:
    """The rows under their headings, in ``blocks`` beside each other, and the title (of any lines) above."""
    font, bold = ImageFont.load_default(11), ImageFont.load_default(13)
    labels = max(ceil(font.getlength(row.label)) for row in rows) + 2 * GAP
    height = CELL + GAP + (LINE if any(row.captions for row in rows) else 0)
    block = labels + len(headings) * (CELL + GAP) + 2 * MARGIN
    deep = ceil(len(rows) / blocks)
    top = MARGIN + 18 * len(title.splitlines()) + GAP
    width = max(blocks * block, ceil(max(bold.getlength(t) for t in title.splitlines())) + 2 * MARGIN)
    picture = Image.new("RGB", (width, top + LINE + GAP + deep * height + MARGIN), "#f4f4f2")
    draw = ImageDraw.Draw(picture)
    for k, text in enumerate(title.splitlines()):
        draw.text(
            (MARGIN, MARGIN + 18 * k), text, "#111111" if k == 0 else "#555555", bold if k == 0 else font
        )
    for b in range(ceil(len(rows) / deep)):
        left = MARGIN + b * block + labels
        for k, heading in enumerate(headings):
            draw.text((left + k * (CELL + GAP) + CELL // 2, top), heading, "#555555", font, anchor="ma")
        for k, row in enumerate(rows[b * deep : (b + 1) * deep]):
            _draw_row(picture, draw, row, left, top + LINE + GAP + k * height, font)
    return picture


def _draw_row(
    picture: Image.Image,
    draw: ImageDraw.ImageDraw,
    row: Row,
    left: int,
    y: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    draw.text((left - GAP, y + CELL // 2), row.label, "#111111", font, anchor="rm")
    for k, image in enumerate(row.images):
        x = left + k * (CELL + GAP)
        whole = image.width * max(1, CELL // image.width)
        method = Image.Resampling.NEAREST if whole <= CELL else Image.Resampling.LANCZOS
        side = min(whole, CELL)
        inset = (CELL - side) // 2
        picture.paste(on_white(image).resize((side, side), method), (x + inset, y + inset))
    for k, caption in enumerate(row.captions):
        x = left + k * (CELL + GAP) + CELL // 2
        draw.text((x, y + CELL + 1), caption, "#555555", font, anchor="ma")
