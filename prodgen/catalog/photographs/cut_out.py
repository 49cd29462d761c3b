"""Make a cut-out: find the product in a photograph, centre it on a square canvas and describe it."""

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.colours import colour_variation, dominant_colours, pattern_of
from prodgen.catalog.photographs.cuts import cut_from_plain, first_cut, guided_cut
from prodgen.catalog.photographs.masks import (
    Mask,
    Pixels,
    Plane,
    bounding_box,
    decontaminate,
    soft_matte,
)
from prodgen.catalog.photographs.quality import (
    Features,
    features_of_cut,
    features_of_reliable_cut,
    is_plausible,
)
from prodgen.catalog.picture_files import decode, decode_or_fault
from prodgen.spec.colour import mean_colours

THUMBNAIL = 96
"""Side, in pixels, of the thumbnails that the segmenter takes."""
_FIRST_SIDE = 112  # longer side, in pixels, at which the first cut is made
_MIN_SIDE, _OVERSAMPLING = 192, 2.5
"""Longer side of a picture for matting: these pixels, or this multiple of the canvas if that is larger."""
_FILLED = 0.88  # share of the canvas's side that the product's longer side fills


class Description(NamedTuple):
    """Measurements of a cut-out: its colours in CIELAB; ``coverage`` is the product's share of the canvas."""

    features: Features
    coverage: float
    colour: list[float]
    colours: list[dict[str, Any]]
    pattern: str | None


def cut_alone(path: Path) -> tuple[str, NDArray[np.uint8], NDArray[np.uint8], bool] | str:
    """Find the product without a segmenter, or return a text that says why the picture cannot be read.

    Returns the SHA-256 of the file, the picture's thumbnail (THUMBNAIL, THUMBNAIL, 3), the product's mask
    (THUMBNAIL, THUMBNAIL) of bytes, 255 for product, and whether the mask is plausible.
    """
    decoded = decode_or_fault(path, _FIRST_SIDE)
    if isinstance(decoded, str):
        return decoded
    sha256, (rgb, alpha, _) = decoded
    mask: Mask | None = alpha > 127 if alpha is not None else cut_from_plain(rgb)
    mask = first_cut(rgb) if mask is None else mask
    return sha256, to_thumbnail(rgb), to_thumbnail(mask * np.uint8(255)), is_plausible(mask)


def cut_out(
    size: int, path: Path, probability: NDArray[np.uint8] | None, first_mask: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], Description] | None:
    """Cut the product out of a readable picture; return its pixels and description, or None without product.

    ``probability`` (THUMBNAIL, THUMBNAIL) is from the segmenter, or None without a segmenter; ``first_mask``
    is the mask from `cut_alone`. The returned pixels are (size, size, 4) premultiplied bytes.
    """
    rgb, alpha, _ = decode(path, picture_side(size))
    if alpha is not None:
        matte, features = alpha.astype(np.float32) / np.float32(255), features_of_reliable_cut(alpha > 127)
    else:
        mask, features = _cut(rgb, probability, first_mask)
        matte = soft_matte(rgb, mask)
        rgb = decontaminate(rgb, matte)
    return describe(rgb, matte, size, features, alpha is not None) if (matte >= 0.5).any() else None


def picture_side(size: int) -> int:
    """Return the longer side, in pixels, at which a product is cut out for a canvas of ``size`` pixels."""
    return max(_MIN_SIDE, round(_OVERSAMPLING * size))


def describe(
    rgb: Pixels, matte: Plane, size: int, features: Features, own_alpha: bool
) -> tuple[NDArray[np.uint8], Description]:
    """Place a product on its canvas; return the canvas's pixels and a description of the cut-out.

    ``rgb`` (H, W, 3) and ``matte`` (H, W), which is at least 0.5 somewhere, are the product;
    the returned pixels are (size, size, 4) premultiplied bytes. ``own_alpha``: whether the matte is the
    file's own. A sprite is a file with transparency, hard edges and the canvas's size. A sprite keeps each of
    its pixels, and gets no pattern, because its drawn outline would count as a print.
    """
    is_sprite = own_alpha and matte.shape == (size, size) and bool(np.isin(matte, (0, 1)).all())
    pixels = sprite_pixels(rgb, matte) if is_sprite else centre_on_canvas(rgb, matte, size)
    coverage = round(float(pixels[..., 3].mean()) / 255, 4)
    mean = mean_colours(pixels[None])[0].round(2).tolist()
    colours = [
        {"lab": lab.round(2).tolist(), "share": round(share, 3)} for lab, share in dominant_colours(pixels)
    ]
    pattern = None if is_sprite else pattern_of(colour_variation(pixels))
    return pixels, Description(features, coverage, mean, colours, pattern)


def _cut(
    rgb: Pixels, probability: NDArray[np.uint8] | None, first_mask: NDArray[np.uint8]
) -> tuple[Mask, Features]:
    plain = cut_from_plain(rgb)
    if plain is not None:
        return plain, features_of_reliable_cut(plain)
    if probability is None:
        mask = first_cut(rgb)
        return mask, features_of_cut(rgb, mask)
    product = from_thumbnail(probability, rgb.shape).astype(np.float32) / np.float32(255)
    mask = guided_cut(rgb, product)
    return mask, features_of_cut(rgb, mask, product > 0.5, from_thumbnail(first_mask, rgb.shape) > 127)


def sprite_pixels(rgb: Pixels, matte: Plane) -> NDArray[np.uint8]:
    """Return the pixels (H, W, 3) under a matte (H, W) of zeros and ones as premultiplied bytes (H, W, 4)."""
    alpha = matte.astype(np.uint8)
    return np.dstack([rgb * alpha[..., None], alpha * np.uint8(255)])


def centre_on_canvas(rgb: Pixels, matte: Plane, size: int) -> NDArray[np.uint8]:
    """Scale the product in (H, W, 3) bytes and its matte (H, W) to fill a square canvas, centred.

    Returns (size, size, 4) premultiplied bytes. When the product shrinks, each pixel is the mean of the
    pixels that it replaces. The matte must be at least 0.5 at one pixel or more.
    """
    upper, first, lower, last = bounding_box(matte >= 0.5)
    height, width = lower - upper, last - first
    scale = _FILLED * size / max(height, width)
    layers = np.dstack([rgb * (matte[..., None] / 255), matte]).astype(np.float32)
    left, top = first + width / 2, upper + height / 2
    shape = max(1, round(matte.shape[1] * scale)), max(1, round(matte.shape[0] * scale))
    small = cv2.resize(layers, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    scale_x, scale_y = shape[0] / matte.shape[1], shape[1] / matte.shape[0]
    move = np.array([[1, 0, size / 2 - left * scale_x], [0, 1, size / 2 - top * scale_y]], np.float32)
    placed = cv2.warpAffine(small, np.round(move), (size, size), flags=cv2.INTER_NEAREST)
    alpha = np.clip(placed[..., 3:], 0, 1)
    premultiplied = np.concatenate([np.minimum(np.maximum(placed[..., :3], 0), alpha), alpha], 2)
    return (premultiplied * 255 + 0.5).astype(np.uint8)


def to_thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize a picture, (H, W) or (H, W, 3) bytes, and centre it on a black square of side THUMBNAIL."""
    top, left, height, width = _box(pixels.shape)
    thumbnail = np.zeros((THUMBNAIL, THUMBNAIL, *pixels.shape[2:]), np.uint8)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    thumbnail[top : top + height, left : left + width] = small
    return thumbnail


def from_thumbnail(thumbnail: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Remove the margins that `to_thumbnail` added, and resize the picture to ``shape`` (H, W)."""
    top, left, height, width = _box(shape)
    picture = thumbnail[top : top + height, left : left + width]
    return cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def _box(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the top, left, height and width, in pixels, of a picture of shape (H, W) on its thumbnail."""
    longer = max(shape[:2])
    height, width = (max(1, round(side * THUMBNAIL / longer)) for side in shape[:2])
    return (THUMBNAIL - height) // 2, (THUMBNAIL - width) // 2, height, width
