"""Pixels to files and back."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from prodgen.errors import ProdgenError

_OPTIONS = {
    "png": {},
    "webp": {"quality": 92},
    "jpeg": {"quality": 95, "subsampling": 0},
}


def to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """(H, W, C) bytes with C = 1, 3 or 4 -> an image of mode L, RGB or RGBA."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def encode(pixels: NDArray[np.uint8], format: str) -> bytes:
    """(H, W, C) bytes -> a file of ``format``: nothing about the job goes into it.

    JPEG knows no transparency: what has some is laid on white.
    """
    image = to_image(pixels)
    if format == "jpeg" and image.mode == "RGBA":
        image = on_white(image)
    buffer = io.BytesIO()
    image.save(buffer, format, **_OPTIONS[format])
    return buffer.getvalue()


def on_white(image: Image.Image) -> Image.Image:
    """The image with white behind what is transparent, as RGB."""
    whole = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), whole).convert("RGB")


def decode(data: bytes) -> NDArray[np.uint8]:
    """A file -> (H, W, C) bytes; raises ProdgenError if it is no whole image."""
    try:
        pixels = np.asarray(Image.open(io.BytesIO(data)))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ProdgenError(f"it is no whole image: {error}") from None
    return pixels[..., None] if pixels.ndim == 2 else pixels
