"""Between a network's range, bytes, and what people see.

Four channels are premultiplied RGBA, as networks see and give them: the colour times its coverage, and the
coverage.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from prodgen.generation.encode import to_image


def to_bytes(images: Tensor) -> NDArray[np.uint8]:
    """(N, C, H, W) in [-1, 1] -> (N, H, W, C) bytes, rounded as in an order's images.

    There is no more colour than coverage in them, as there is not in an order's.
    """
    levels = images.float().add(1.0).div(2.0).mul(255.0).round().clamp(0, 255)
    if levels.shape[1] == 4:
        levels = torch.minimum(levels, levels[:, 3:])
    array: NDArray[np.uint8] = levels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return array


def premultiplied(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bytes (..., 4) as files hold them -> premultiplied; what has other channels stays as it is."""
    if pixels.shape[-1] != 4:
        return pixels
    colour, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:]
    return np.concatenate([((colour * alpha + 127) // 255).astype(np.uint8), alpha], -1)


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Premultiplied bytes (..., 4) -> (..., 3), laid on white; what has other channels stays as it is."""
    if pixels.shape[-1] != 4:
        return pixels
    colour, ground = pixels[..., :3].astype(np.uint16), 255 - pixels[..., 3:]
    return np.minimum(colour + ground, 255).astype(np.uint8)


def picture(pixels: NDArray[np.uint8]) -> Image.Image:
    """(H, W, C) bytes -> an image to show, of mode L or RGB."""
    return to_image(on_white(pixels))
