"""Find the attributes and the latent with which a model draws a picture that a person gives."""

import io
from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageColor
from pydantic import ValidationError

from prodgen.catalog.photographs.colours import colour_variation, pattern_of
from prodgen.catalog.photographs.cut_out import centre_on_canvas, picture_side
from prodgen.catalog.photographs.masks import Pixels
from prodgen.catalog.picture_files import Photograph, centre_crop, decode, fault_of
from prodgen.errors import ProdgenError
from prodgen.generation.forward import Forward
from prodgen.generation.inversion import invert
from prodgen.models import SavedModel
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.cutters import Cutter
from prodgen.spec.attributes import AttributeSchema, Choice, ContinuousColour
from prodgen.spec.colour import mean_colours, to_hex
from prodgen.spec.model_config import ModelConfig
from prodgen.spec.photograph import picture_fault
from prodgen.spec.redrawing import PATTERN, Found, check_picture

_SAME_GROUND = 24.0  # levels of 255 by which the border of a picture on the model's own ground may differ


class Redrawing(NamedTuple):
    """The result of `redraw`. ``pixels``: the picture as the model gets it, (size, size, C).

    ``start``: the distance at the start of the search.
    """

    found: Found
    pixels: NDArray[np.uint8]
    start: float


def redraw(
    forward: Forward,
    model: SavedModel,
    data: bytes,
    known: Mapping[str, str],
    cutter: Cutter,
    seed: int = 0,
    draw: int = 0,
) -> Redrawing:
    """Find the latent and the attributes with which a model draws the picture in the file ``data``.

    ``known``: attributes that a person has named. Colours and the pattern are measured. For each other
    attribute, the search finds the value with which the model draws the picture best. Raises ProdgenError for
    a file that is no picture, or in which no product is found.
    """
    check_picture(model.id, model.config, known)
    pixels, rgba = _as_trained(data, model.config, cutter)
    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 127.5 - 1
    candidates = _candidates(model.config.attributes, known, rgba)
    result = invert(forward, model, tensor, candidates, seed, draw)
    distance, latent = round(min(1.0, result.distance), 4), tuple(result.latent.tolist())
    try:
        found = Found(latent=latent, attributes=dict(result.attributes), distance=distance)
    except ValidationError:  # the search has ended in numbers that are too large, or in NaN
        raise ProdgenError("the model finds no latent of this picture", param="picture") from None
    return Redrawing(found, pixels, result.start)


def _as_trained(data: bytes, config: ModelConfig, cutter: Cutter) -> tuple[Pixels, Pixels]:
    """Return a picture as the model's training pictures are, and its cut-out (size, size, 4), premultiplied.

    If the model has no transparency and the picture shows the model's ground, the picture is only cropped.
    Otherwise the product is cut out.
    """
    if fault := picture_fault(data):
        raise ProdgenError(f"the picture {fault}", param="picture")
    try:
        photograph = decode(io.BytesIO(data), picture_side(config.size))
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises nearly any type for a broken file
        reason = fault_of(error)
        raise ProdgenError(f"the picture cannot be read: {reason}", param="picture") from None
    ground = np.array(ImageColor.getrgb(config.ground)[:3], np.float32)
    if config.channels < 4 and _on_ground(photograph, ground):
        pixels = centre_crop(Image.fromarray(photograph.rgb), config.size, config.channels)
        rgb = pixels.repeat(3, 2) if config.channels == 1 else pixels
        return pixels, np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    cut = cut_out(photograph, cutter)
    if not (cut.matte >= 0.5).any():
        raise ProdgenError(
            "no product was found in the picture; send one that shows it alone", param="picture"
        )
    rgba = centre_on_canvas(cut.rgb, cut.matte, config.size)
    if config.channels == 4:
        return rgba, rgba
    flat = rgba[..., :3] + ground * (1 - rgba[..., 3:] / 255.0)
    shown = Image.fromarray(np.clip(flat + 0.5, 0, 255).astype(np.uint8))
    return centre_crop(shown, config.size, config.channels), rgba


def _on_ground(photograph: Photograph, ground: NDArray[np.float32]) -> bool:
    rgb = photograph.rgb.astype(np.float32)
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    return photograph.alpha is None and float(np.median(np.abs(border - ground))) <= _SAME_GROUND


def _candidates(
    schema: AttributeSchema, known: Mapping[str, str], rgba: NDArray[np.uint8]
) -> list[dict[str, str]]:
    """Return all combinations of attributes that the picture may have.

    A known or measured attribute has one value in all combinations. Each other choice has each of its values.
    """
    measured = dict(known)
    for attribute in schema.attributes:
        if attribute.name in measured:
            continue
        if isinstance(attribute, ContinuousColour):
            measured[attribute.name] = to_hex(mean_colours(rgba[None])[0])
        elif isinstance(attribute, Choice) and attribute.name == PATTERN:
            pattern = pattern_of(colour_variation(rgba))
            if pattern in attribute.values:
                measured[PATTERN] = str(pattern)
    open_ = [choice for choice in schema.choices if choice.name not in measured]
    names = [choice.name for choice in open_]
    combinations = product(*(choice.values for choice in open_))
    order = [attribute.name for attribute in schema.attributes]
    rows = [measured | dict(zip(names, values, strict=True)) for values in combinations]
    return [{name: row[name] for name in order} for row in rows]
