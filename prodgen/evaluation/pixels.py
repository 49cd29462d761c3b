"""Converts images between a network's range [-1, 1], bytes, and pictures on white.

Images of four channels are premultiplied RGBA, as networks read and write them: the colour is multiplied by
the alpha.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from prodgen.generation.encode import to_image


def to_bytes(images: Tensor) -> NDArray[np.uint8]:
    """Return ``images`` (N, C, H, W) in [-1, 1] as bytes (N, H, W, C).

    Rounds in the same way as for the images of an order. Limits the colour of a pixel to its alpha.
    """
    levels = images.float().add(1.0).div(2.0).mul(255.0).round().clamp(0, 255)
    if levels.shape[1] == 4:
        levels = torch.minimum(levels, levels[:, 3:])
    array: NDArray[np.uint8] = levels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return array


def premultiplied(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Premultiply RGBA pixels (..., 4). Returns pixels with another number of channels unchanged."""
    if pixels.shape[-1] != 4:
        return pixels
    colour, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:]
    return np.concatenate([((colour * alpha + 127) // 255).astype(np.uint8), alpha], -1)


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay premultiplied RGBA pixels (..., 4) on white: RGB (..., 3). Returns other pixels unchanged."""
    if pixels.shape[-1] != 4:
        return pixels
    colour, ground = pixels[..., :3].astype(np.uint16), 255 - pixels[..., 3:]
    return np.minimum(colour + ground, 255).astype(np.uint8)


def picture(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return ``pixels`` (H, W, C) as an image on white, of mode L or RGB."""
    return to_image(on_white(pixels))
