"""Augmentation by kornia: differentiable, in whole batches, on the device. A policy is a string of names.

Two uses: of what the discriminator sees, real and generated alike, so that few images go far and none of it
shows in what is generated (Zhao et al. 2020, Karras et al. 2020); and of the training images themselves,
where a mirrored product is as good as the original.
"""

from collections.abc import Callable

import kornia.augmentation as K
import torch
from PIL import ImageColor
from torch import Tensor, nn

from prodgen.errors import ProdgenError

SHAPE: dict[str, Callable[[], nn.Module]] = {
    "flip": lambda: K.RandomHorizontalFlip(p=0.5),
    # By whole pixels: interpolation would hide from the discriminator how sharp the images are.
    "translation": lambda: K.RandomAffine(0.0, translate=(0.125, 0.125), resample="nearest", p=1.0),
    "rotation": lambda: K.RandomRotation(degrees=15.0, p=0.5),
    "scale": lambda: K.RandomAffine(degrees=0.0, scale=(0.85, 1.15), p=0.5),
    "cutout": lambda: K.RandomErasing(scale=(0.05, 0.2), ratio=(0.5, 2.0), p=0.5),
}
"""They fill with zeros, so they are given what is above the ground."""
COLOUR: dict[str, Callable[[], nn.Module]] = {
    "brightness": lambda: K.RandomBrightness((0.8, 1.2), p=0.5),
    "contrast": lambda: K.RandomContrast((0.8, 1.2), p=0.5),
    "saturation": lambda: K.RandomSaturation((0.6, 1.4), p=0.5),
}
POLICIES = {**SHAPE, **COLOUR}

SPEED = 500_000
"""Images in which the strength of an adaptive augmentation may go from nothing to all."""
THIN = 0.05
"""Coverage under which a premultiplied colour is too faint to be told."""


class Augment(nn.Module):
    """x: (B, C, H, W) in [-1, 1] -> the same shape and range; four channels are premultiplied RGBA.

    ``ground``: the colour around the products, which fills what moves in. ``strength``: the share of the
    images that is changed, 1 unless somebody moves it. With a ``target`` `adapt` does, so that the
    discriminator is as sure of real images as the target says: the sign of its logits, on average (Karras et
    al. 2020: 0.6).
    """

    def __init__(
        self, policy: str, channels: int, ground: str = "#000000", target: float | None = None
    ) -> None:
        super().__init__()
        self._names = names(policy)
        if "saturation" in self._names and channels == 1:
            raise ProdgenError("saturation has nothing to change: the images have one channel, grey")
        self.steps = nn.ModuleList([POLICIES[name]() for name in self._names])
        self.target = target
        self.strength: Tensor
        self.register_buffer("strength", torch.tensor(1.0 if target is None else 0.0))
        self.ground: Tensor
        self.register_buffer("ground", _level(ground, channels), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not len(self.steps):
            return x
        augmented = (x + 1.0) / 2.0  # the range that kornia works in
        for name, step in zip(self._names, self.steps, strict=True):
            if name in COLOUR:
                augmented = _recoloured(step, augmented)
            else:
                augmented = step(augmented - self.ground) + self.ground
        chosen = torch.rand(len(x), 1, 1, 1, device=x.device) < self.strength
        return torch.where(chosen, augmented * 2.0 - 1.0, x)

    @torch.no_grad()
    def adapt(self, real: Tensor) -> None:
        """Logits (B,) of real images: a discriminator that is too sure is given a harder view."""
        if self.target is not None:
            change = torch.sign(real.sign().mean() - self.target) * len(real) / SPEED
            self.strength.add_(change).clamp_(0.0, 1.0)


def _level(ground: str, channels: int) -> Tensor:
    """The ground's levels in [0, 1], (1, C, 1, 1); around premultiplied products there is nothing."""
    modes = {1: "L", 3: "RGB"}
    levels = ImageColor.getcolor(ground, modes[channels]) if channels in modes else (0,) * channels
    return torch.tensor(levels).view(1, channels, 1, 1) / 255.0


def _recoloured(step: nn.Module, x: Tensor) -> Tensor:
    """A change of colours, which are whole only where the product is."""
    if x.shape[1] != 4:
        return step(x)
    colour, alpha = straight(x)
    return torch.cat([step(colour) * alpha, alpha], 1)


def straight(layers: Tensor) -> tuple[Tensor, Tensor]:
    """Premultiplied (B, 4, H, W) in [0, 1] -> colours (B, 3, H, W), whole however thin, and alpha."""
    alpha = layers[:, 3:]
    return (layers[:, :3] / alpha.clamp(min=THIN)).clamp(0.0, 1.0), alpha


def names(policy: str) -> list[str]:
    """``"flip,cutout"`` -> its names."""
    return [name.strip() for name in policy.split(",") if name.strip()]
