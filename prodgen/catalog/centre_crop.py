"""Centre-crop pictures of any size and mode to the one size and number of channels that a network takes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's mode for each number of channels."""


def centre_crop(image: Image.Image, size: int, channels: int) -> NDArray[np.uint8]:
    """Return the centre square of a picture, resized by Lanczos to (size, size, channels) bytes.

    Transparent pixels become white, unless ``channels`` is 4: then colours are premultiplied by alpha. Raises
    ValueError for a picture that cannot be converted to 8 bits.
    """
    plain = to_eight_bits(image)
    side = min(plain.size)
    left, top = (plain.width - side) // 2, (plain.height - side) // 2
    box = (left, top, left + side, top + side)
    small = plain.resize((size, size), Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    if small.mode == "RGBA" and channels < 4:
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    cropped = small.convert(MODES[channels])
    if channels == 4:
        cropped = cropped.convert("RGBa")  # Pillow's name for premultiplied
    return np.asarray(cropped).reshape(size, size, channels)


def centre_crop_all(
    images: NDArray[np.uint8], size: int | None = None, channels: int | None = None
) -> NDArray[np.uint8]:
    """Centre-crop (N, H, W, C) bytes to (N, size, size, channels); None keeps the present value."""
    height, width, depth = images.shape[1:]
    size, channels = size or height, channels or depth
    if (height, width, depth) == (size, size, channels):
        return images
    cropped = np.empty((len(images), size, size, channels), np.uint8)
    for row, image in enumerate(images):
        cropped[row] = centre_crop(Image.fromarray(image[..., 0] if depth == 1 else image), size, channels)
    return cropped


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Convert a picture to L, RGB or RGBA; raises ValueError if it has neither 8 nor 16 bits."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_sixteen_bits(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    # Pillow's own conversion clips every value above 255, which leaves a white page.
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixels are neither 8 nor 16 bits")
    return Image.fromarray((values / 257).round().astype(np.uint8))
