"""Augmentation of what the discriminator sees, real and generated alike (Zhao et al. 2020, DiffAugment).

Differentiable, in whole batches, on the device, by kornia. A policy is a string such as
``"translation,cutout"``.
"""

from collections.abc import Callable

import kornia.augmentation as K
from torch import Tensor, nn

POLICIES: dict[str, Callable[[], nn.Module]] = {
    "flip": lambda: K.RandomHorizontalFlip(p=0.5),
    "translation": lambda: K.RandomAffine(degrees=0.0, translate=(0.125, 0.125), p=1.0),
    "rotation": lambda: K.RandomRotation(degrees=15.0, p=0.5),
    "scale": lambda: K.RandomAffine(degrees=0.0, scale=(0.85, 1.15), p=0.5),
    "cutout": lambda: K.RandomErasing(scale=(0.05, 0.2), ratio=(0.5, 2.0), value=0.5, p=0.5),
    "brightness": lambda: K.RandomBrightness((0.8, 1.2), p=0.5),
    "contrast": lambda: K.RandomContrast((0.8, 1.2), p=0.5),
}


class DiffAugment(nn.Module):
    """x: (B, C, H, W) in [-1, 1] -> the same shape and range."""

    def __init__(self, policy: str) -> None:
        super().__init__()
        self.steps = nn.Sequential(*[POLICIES[name]() for name in policy.split(",") if name])

    def forward(self, x: Tensor) -> Tensor:
        # kornia works in [0, 1], where 0 is what it fills with: the ground of these pictures.
        return self.steps((x + 1.0) / 2.0) * 2.0 - 1.0 if len(self.steps) else x
