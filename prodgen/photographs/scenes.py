"""Draw the grounds of scenes, and place cut-outs in the frame."""

import io
import math
from typing import NamedTuple

import torch
from kornia.geometry.transform import resize
from torch import Tensor

from prodgen.catalog.photographs.masks import bounding_box
from prodgen.catalog.picture_files import decode, fault_of
from prodgen.errors import ProdgenError
from prodgen.generation.coverage import clamp_to_coverage
from prodgen.photographs.textures import TEXTURES, texture
from prodgen.spec.colour import levels, parse_colour, parse_gradient
from prodgen.spec.finish import Area, Frame
from prodgen.spec.photograph import background_fault, picture_size
from prodgen.spec.provenance import read_provenance

GLOSS = "gloss"
"""The scene in which the ground below a product reflects the product."""
BUILT_IN = ("white", "studio", "floor", *TEXTURES, GLOSS)
_GLOSSY = "#f4f4f3", "#dededc"
_WALL, _FLOOR, _HORIZON = ("#eeeeec", "#d9d5cf", 0.72)
_VIGNETTE = 0.10  # loss of light in the corners of the studio


class Background(NamedTuple):
    """The ground of pictures: ``pixels`` (3, height, width) in [0, 1].

    ``generative``: whether the marks of the background's file say that a model made the background.
    ``fault`` says why the file cannot be read; then the pixels are white.
    """

    pixels: Tensor
    generative: bool = False
    fault: str | None = None


def ground(scene: str, height: int, width: int) -> Tensor:
    """Return the ground of a scene, (3, height, width) in [0, 1].

    ``scene`` is one of `BUILT_IN`, a CSS colour, or two CSS colours such as ``skyblue/white``. Raises
    ProdgenError for other texts.
    """
    if scene == "studio":
        return _studio(height, width)
    if scene == "floor":
        return _floor(height, width)
    if scene in TEXTURES:
        return texture(scene, height, width)
    if colour := plain_colour(scene):
        return _plain(colour, height, width)
    if colours := _GLOSSY if scene == GLOSS else parse_gradient(scene):
        return _gradient(*colours, height, width)
    raise ProdgenError(
        f"no scene is {scene!r}; write {', '.join(BUILT_IN)}, a CSS colour, two colours as skyblue/white, or "
        "the path of a picture",
        param="scene",
    )


def read_background(data: bytes, height: int, width: int) -> Background:
    """Return the middle of a picture file, shrunk until it just covers the frame.

    A damaged file gives a white ground with a fault. Raises ProdgenError if the file is no picture, or if the
    picture is smaller than the frame.
    """
    if fault := background_fault(data, width, height):
        raise ProdgenError(f"the background {fault}", param="scene")
    size = picture_size(io.BytesIO(data)) or (width, height)
    longer = math.ceil(max(size) * max(width / size[0], height / size[1])) + 1
    try:
        rgb = decode(io.BytesIO(data), longer).on_white()
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises nearly any type for a broken file
        return Background(
            torch.ones(3, height, width), fault=f"the background cannot be read: {fault_of(error)}"
        )
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    middle = torch.from_numpy(rgb[top : top + height, left : left + width].copy())
    generative = read_provenance(io.BytesIO(data)).generative
    return Background(middle.permute(2, 0, 1).float() / 255, generative)


def plain_colour(scene: str) -> str | None:
    """Return the colour of a scene that is one colour, as #rrggbb, and None for any other scene."""
    try:
        return parse_colour(scene)
    except ValueError:
        return None


def is_picture(scene: str) -> bool:
    """Return whether a scene is a picture: the path of a file, or the digest of an upload."""
    return scene not in BUILT_IN and plain_colour(scene) is None and parse_gradient(scene) is None


def has_shadow(scene: str) -> bool:
    """Return whether products cast a shadow in a scene. On white they cast none, as marketplaces demand."""
    return plain_colour(scene) != "#ffffff"


def _plain(colour: str, height: int, width: int) -> Tensor:
    return (torch.tensor(levels(colour)) / 255).view(3, 1, 1).expand(3, height, width)


def _gradient(upper: str, lower: str, height: int, width: int) -> Tensor:
    share = torch.linspace(0, 1, height).view(1, -1, 1)
    return (1 - share) * _plain(upper, height, width) + share * _plain(lower, height, width)


def _studio(height: int, width: int) -> Tensor:
    """Return a light grey ground, (3, height, width), that is brightest a little above the middle."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    falloff = (x**2 + (y + 0.15) ** 2) / 2.3
    return _plain(_WALL, height, width) * (1 - _VIGNETTE * falloff)


def _floor(height: int, width: int) -> Tensor:
    """Return a picture (3, height, width) of a wall and a floor with a soft line between them."""
    y = torch.linspace(0, 1, height).view(1, -1, 1)
    share = torch.sigmoid((y - _HORIZON) * 60)
    wall, floor = _plain(_WALL, height, width), _plain(_FLOOR, height, width)
    nearer = 1 + 0.05 * ((y - _HORIZON) / (1 - _HORIZON)).clamp(min=0)
    return ((1 - share) * wall * (0.96 + 0.05 * y) + share * floor * nearer).clamp(0, 1)


def place(rgb: Tensor, matte: Tensor, frame: Frame, area: Area) -> tuple[Tensor, float]:
    """Scale a product and place it in the part ``area`` of the frame: in the middle, or lower if it stands.

    Returns premultiplied layers (B, 4, height, width), and the factor by which the product was enlarged.
    ``rgb`` (B, 3, H, W), B images of the product, and its ``matte`` (H, W) are in [0, 1]. The product fills
    the share ``frame.fill`` of the area's width or height, whichever limit it reaches first. Below a standing
    product, the margin is as small as if the product filled this share of the height.
    """
    from_left, from_top, width, height = area
    upper, first, lower, last = bounding_box(matte.numpy() >= 0.5)
    scale = frame.fill * min(height / (lower - upper), width / (last - first))
    margin = max(2, round(0.01 * max(matte.shape)))
    top, left = max(0, upper - margin), max(0, first - margin)
    part = slice(top, lower + margin), slice(left, last + margin)
    alpha = matte[part].expand(len(rgb), 1, -1, -1)
    layers = torch.cat([rgb[..., *part] * alpha, alpha], 1)
    size = max(1, math.ceil(layers.shape[2] * scale)), max(1, math.ceil(layers.shape[3] * scale))
    middle_y = ((upper + lower) / 2 - top) * size[0] / layers.shape[2]
    middle_x = ((first + last) / 2 - left) * size[1] / layers.shape[3]
    layers = clamp_to_coverage(resize(layers, size, interpolation="bicubic", antialias=True))
    placed = layers.new_zeros(len(layers), 4, frame.height, frame.width)
    down = height / 2 - middle_y
    if frame.pose == "standing":
        down += max(0.0, (frame.fill * height - (lower - upper) * scale) / 2)
    _paste(placed, layers, from_top + round(down), from_left + round(width / 2 - middle_x))
    return placed, scale


def _paste(frame: Tensor, layers: Tensor, top: int, left: int) -> None:
    """Copy ``layers`` into ``frame`` with the upper left corner at this place; parts outside are left out."""
    height, width = frame.shape[2:]
    rows = slice(max(0, top), min(height, top + layers.shape[2]))
    columns = slice(max(0, left), min(width, left + layers.shape[3]))
    frame[..., rows, columns] = layers[
        ..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
