"""Make a cut-out: find the product, centre it on a square canvas and describe it."""

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.colours import dominant_colours
from prodgen.catalog.photographs.decode import decode
from prodgen.catalog.photographs.grabcut import first_cut, guided_cut
from prodgen.catalog.photographs.masks import Mask, Pixels, Plane
from prodgen.catalog.photographs.matte import decontaminate, soft_matte
from prodgen.catalog.photographs.pattern import colour_variation
from prodgen.catalog.photographs.plain_background import cut_from_plain
from prodgen.catalog.photographs.quality import Features, features_of_cut, features_of_reliable_cut
from prodgen.catalog.photographs.thumbnail import from_thumbnail
from prodgen.spec.colour import mean_colours

_MIN_SIDE, _OVERSAMPLING = 192, 2.5
"""The matte is made at this longer side in pixels, or at this multiple of the canvas if that is larger."""
_FILLED = 0.88  # share of the canvas's side that the product's longer side fills


class Task(NamedTuple):
    """A picture to cut out for a canvas of ``size`` pixels.

    ``probability`` is the segmenter's result, or None without a segmenter; ``first_mask`` is the mask of the
    first cut. Both are thumbnails of bytes.
    """

    path: Path
    size: int
    probability: NDArray[np.uint8] | None
    first_mask: NDArray[np.uint8]


class Description(NamedTuple):
    """What a cut-out shows; colours are in CIELAB, and ``coverage`` is the product's share of the canvas."""

    features: Features
    coverage: float
    colour: list[float]
    colours: list[dict[str, Any]]
    variation: float


def cut_out(task: Task) -> tuple[NDArray[np.uint8], Description] | None:
    """Cut the product out of a readable picture; return None if there is no product at all.

    The pixels are (S, S, 4) bytes, premultiplied.
    """
    rgb, alpha, _ = decode(task.path, max(_MIN_SIDE, round(_OVERSAMPLING * task.size)))
    if alpha is not None:
        matte, features = alpha.astype(np.float32) / np.float32(255), features_of_reliable_cut(alpha > 127)
    else:
        mask, features = _cut(rgb, task)
        matte = soft_matte(rgb, mask)
        rgb = decontaminate(rgb, matte)
    if not (matte >= 0.5).any():
        return None
    pixels = centre_on_canvas(rgb, matte, task.size)
    coverage = round(float(pixels[..., 3].mean()) / 255, 4)
    mean = mean_colours(pixels[None])[0].round(2).tolist()
    colours = [
        {"lab": lab.round(2).tolist(), "share": round(share, 3)} for lab, share in dominant_colours(pixels)
    ]
    return pixels, Description(features, coverage, mean, colours, colour_variation(pixels))


def centre_on_canvas(rgb: Pixels, matte: Plane, size: int) -> NDArray[np.uint8]:
    """Scale (H, W, 3) bytes and their matte so that the product fills a canvas, centred.

    Returns (size, size, 4) bytes, premultiplied; each pixel is the mean of the area that it covers. The matte
    must be at least 0.5 somewhere.
    """
    rows, columns = (np.flatnonzero((matte >= 0.5).any(axis)) for axis in (1, 0))
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    scale = _FILLED * size / max(height, width)
    layers = np.dstack([rgb * (matte[..., None] / 255), matte]).astype(np.float32)
    left, top = columns[0] + width / 2, rows[0] + height / 2
    shape = max(1, round(matte.shape[1] * scale)), max(1, round(matte.shape[0] * scale))
    small = cv2.resize(layers, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    scale_x, scale_y = shape[0] / matte.shape[1], shape[1] / matte.shape[0]
    move = np.array([[1, 0, size / 2 - left * scale_x], [0, 1, size / 2 - top * scale_y]], np.float32)
    placed = cv2.warpAffine(small, np.round(move), (size, size), flags=cv2.INTER_NEAREST)
    alpha = np.clip(placed[..., 3:], 0, 1)
    premultiplied = np.concatenate([np.minimum(np.maximum(placed[..., :3], 0), alpha), alpha], 2)
    return (premultiplied * 255 + 0.5).astype(np.uint8)


def _cut(rgb: Pixels, task: Task) -> tuple[Mask, Features]:
    plain = cut_from_plain(rgb)
    if plain is not None:
        return plain, features_of_reliable_cut(plain)
    if task.probability is None:
        mask = first_cut(rgb)
        return mask, features_of_cut(rgb, mask)
    probability = from_thumbnail(task.probability, rgb.shape).astype(np.float32) / np.float32(255)
    mask = guided_cut(rgb, probability)
    alone = from_thumbnail(task.first_mask, rgb.shape) > 127
    return mask, features_of_cut(rgb, mask, probability > 0.5, alone)
