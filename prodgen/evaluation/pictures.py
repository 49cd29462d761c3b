"""Converts images from a network's range [-1, 1] to bytes and to Pillow images on white; draws grids.

Images of four channels are premultiplied RGBA, as networks read and write them: the colour is multiplied by
the alpha.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from prodgen.generation.encode import to_image
from prodgen.generation.sheet import paste_into_cell


def to_bytes(images: Tensor) -> NDArray[np.uint8]:
    """Return ``images`` (N, C, H, W) in [-1, 1] as bytes (N, H, W, C).

    Rounds in the same way as for the images of an order. Limits the colour of a pixel to its alpha.
    """
    levels = images.float().add(1.0).div(2.0).mul(255.0).round().clamp(0, 255)
    if levels.shape[1] == 4:
        levels = torch.minimum(levels, levels[:, 3:])
    return levels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def premultiplied(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Premultiply RGBA pixels (..., 4). Returns pixels with another number of channels unchanged."""
    if pixels.shape[-1] != 4:
        return pixels
    colour, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:]
    return np.concatenate([((colour * alpha + 127) // 255).astype(np.uint8), alpha], -1)


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay premultiplied RGBA pixels (..., 4) on white; return RGB (..., 3). Leaves other pixels unchanged."""
    if pixels.shape[-1] != 4:
        return pixels
    colour, ground = pixels[..., :3].astype(np.uint16), 255 - pixels[..., 3:]
    return np.minimum(colour + ground, 255).astype(np.uint8)


def picture(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return ``pixels`` (H, W, C) as an image on white, of mode L or RGB."""
    return to_image(on_white(pixels))


CELL, GAP, LINE, MARGIN = 72, 6, 14, 12


@dataclass(frozen=True)
class Row:
    """A row of images. ``label`` is to the left of the row, and each of ``captions`` below its image."""

    label: str
    images: Sequence[Image.Image]
    captions: Sequence[str] = ()


def image_table(title: str, headings: Sequence[str], rows: Sequence[Row], blocks: int = 1) -> Image.Image:
    """Return a picture with ``title``, ``headings`` and rows. ``blocks``: number of blocks side by side."""
    font, bold = ImageFont.load_default(11), ImageFont.load_default(13)
    labels = max(ceil(font.getlength(row.label)) for row in rows) + 2 * GAP
    height = CELL + GAP + (LINE if any(row.captions for row in rows) else 0)
    block = labels + len(headings) * (CELL + GAP) + 2 * MARGIN
    deep = ceil(len(rows) / blocks)
    top = MARGIN + 18 * len(title.splitlines()) + GAP
    width = max(blocks * block, ceil(max(bold.getlength(t) for t in title.splitlines())) + 2 * MARGIN)
    table = Image.new("RGB", (width, top + LINE + GAP + deep * height + MARGIN), "#f4f4f2")
    draw = ImageDraw.Draw(table)
    for k, text in enumerate(title.splitlines()):
        colour, face = ("#555555", font) if k else ("#111111", bold)
        draw.text((MARGIN, MARGIN + 18 * k), text, colour, face)
    for b in range(ceil(len(rows) / deep)):
        left = MARGIN + b * block + labels
        for k, heading in enumerate(headings):
            draw.text((left + k * (CELL + GAP) + CELL // 2, top), heading, "#555555", font, anchor="ma")
        for k, row in enumerate(rows[b * deep : (b + 1) * deep]):
            y = top + LINE + GAP + k * height
            draw.text((left - GAP, y + CELL // 2), row.label, "#111111", font, anchor="rm")
            for column, image in enumerate(row.images):
                paste_into_cell(table, image, left + column * (CELL + GAP), y, CELL)
            for column, caption in enumerate(row.captions):
                middle = left + column * (CELL + GAP) + CELL // 2
                draw.text((middle, y + CELL + 1), caption, "#555555", font, anchor="ma")
    return table
