"""From a network's range to bytes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_bytes(images: Tensor) -> NDArray[np.uint8]:
    """(N, C, H, W) in [-1, 1] -> (N, H, W, C) bytes, rounded as in an order's images."""
    levels = images.float().add(1.0).div(2.0).mul(255.0).round().clamp(0, 255)
    array: NDArray[np.uint8] = levels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return array
