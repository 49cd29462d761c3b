"""Pictures of any size and kind brought to the one size and the channels that a network takes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's mode for a number of channels."""


def fit(image: Image.Image, size: int, channels: int) -> NDArray[np.uint8]:
    """The centre square of a picture, resized by Lanczos -> (size, size, channels) bytes.

    What is transparent becomes white, unless there are 4 channels: then colours are premultiplied. Raises
    ValueError for a picture that cannot be brought to 8 bits.
    """
    plain = eight_bits(image)
    side = min(plain.size)
    left, top = (plain.width - side) // 2, (plain.height - side) // 2
    box = (left, top, left + side, top + side)
    small = plain.resize((size, size), Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    if small.mode == "RGBA" and channels < 4:
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    fitted = small.convert(MODES[channels])
    if channels == 4:
        fitted = fitted.convert("RGBa")  # Pillow's name for premultiplied
    return np.asarray(fitted).reshape(size, size, channels)


def refit(
    images: NDArray[np.uint8], size: int | None = None, channels: int | None = None
) -> NDArray[np.uint8]:
    """(N, H, W, C) -> (N, size, size, channels); what is None stays as it is."""
    height, width, depth = images.shape[1:]
    size, channels = size or height, channels or depth
    if (height, width, depth) == (size, size, channels):
        return images
    fitted = np.empty((len(images), size, size, channels), np.uint8)
    for row, image in enumerate(images):
        fitted[row] = fit(Image.fromarray(image[..., 0] if depth == 1 else image), size, channels)
    return fitted


def eight_bits(image: Image.Image) -> Image.Image:
    """The same picture as L, RGB or RGBA; raises ValueError if it has neither 8 nor 16 bits."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_sixteen_bits(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    # Pillow's own conversion cuts everything above 255 off, which leaves a white page.
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixels are neither 8 nor 16 bits")
    return Image.fromarray((values / 257).round().astype(np.uint8))
