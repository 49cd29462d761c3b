"""Encode pixels as image files, and decode image files."""

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
    """Return ``pixels`` (H, W, C), C = 1, 3 or 4, as an image of mode L, RGB or RGBA."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def encode(pixels: NDArray[np.uint8], format: str) -> bytes:
    """Encode ``pixels`` (H, W, C) as an image file without metadata; return its bytes.

    ``format``: png, webp or jpeg. JPEG has no transparency, so a transparent image is laid on white.
    """
    image = to_image(pixels)
    if format == "jpeg" and image.mode == "RGBA":
        image = on_white(image)
    buffer = io.BytesIO()
    image.save(buffer, format, **_OPTIONS[format])
    return buffer.getvalue()


def on_white(image: Image.Image) -> Image.Image:
    """Lay an image on a white background; return it as RGB."""
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels (H, W, C) of an image file. Raises ProdgenError if the image is not complete."""
    try:
        pixels = np.asarray(Image.open(io.BytesIO(data)))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ProdgenError(f"the file is not a complete image: {error}") from None
    return pixels[..., None] if pixels.ndim == 2 else pixels
