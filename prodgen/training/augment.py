"""Augmentation by kornia: differentiable, in whole batches, on the device. A policy is a string of names.

Two uses: of what the discriminator sees, real and generated alike, so that few images go far and none of it
shows in what is generated (Zhao et al. 2020, Karras et al. 2020); and of the training images themselves,
where a mirrored product is as good as the original.
"""

from collections.abc import Callable

import kornia.augmentation as K
import torch
from torch import Tensor, nn

POLICIES: dict[str, Callable[[], nn.Module]] = {
    "flip": lambda: K.RandomHorizontalFlip(p=0.5),
    # By whole pixels: interpolation would hide from the discriminator how sharp the images are.
    "translation": lambda: K.RandomAffine(0.0, translate=(0.125, 0.125), resample="nearest", p=1.0),
    "rotation": lambda: K.RandomRotation(degrees=15.0, p=0.5),
    "scale": lambda: K.RandomAffine(degrees=0.0, scale=(0.85, 1.15), p=0.5),
    "cutout": lambda: K.RandomErasing(scale=(0.05, 0.2), ratio=(0.5, 2.0), value=0.5, p=0.5),
    "brightness": lambda: K.RandomBrightness((0.8, 1.2), p=0.5),
    "contrast": lambda: K.RandomContrast((0.8, 1.2), p=0.5),
    "saturation": lambda: K.RandomSaturation((0.6, 1.4), p=0.5),
}

SPEED = 500_000
"""Images in which the strength of an adaptive augmentation may go from nothing to all."""


class Augment(nn.Module):
    """x: (B, C, H, W) in [-1, 1] -> the same shape and range.

    With a ``target`` only a share of the images is changed, which `adapt` moves so that the discriminator is
    as sure of real images as the target says: the sign of its logits, on average (Karras et al. 2020: 0.6).
    """

    def __init__(self, policy: str, target: float | None = None) -> None:
        super().__init__()
        self.steps = nn.Sequential(*[POLICIES[name]() for name in names(policy)])
        self.target = target
        self.strength: Tensor
        self.register_buffer("strength", torch.tensor(1.0 if target is None else 0.0))

    def forward(self, x: Tensor) -> Tensor:
        if not len(self.steps):
            return x
        # kornia works in [0, 1], where 0 is what it fills with: the ground of these pictures.
        augmented = self.steps((x + 1.0) / 2.0) * 2.0 - 1.0
        if self.target is None:
            return augmented
        chosen = torch.rand(len(x), 1, 1, 1, device=x.device) < self.strength
        return torch.where(chosen, augmented, x)

    @torch.no_grad()
    def adapt(self, real: Tensor) -> None:
        """Logits (B,) of real images: a discriminator that is too sure is given a harder view."""
        if self.target is not None:
            change = torch.sign(real.sign().mean() - self.target) * len(real) / SPEED
            self.strength.add_(change).clamp_(0.0, 1.0)


def names(policy: str) -> list[str]:
    """``"flip,cutout"`` -> its names."""
    return [name.strip() for name in policy.split(",") if name.strip()]
