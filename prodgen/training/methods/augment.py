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

from prodgen.training.distributed.exchange import mean
from prodgen.training.distributed.world import drawn, mine, size
from prodgen.training.recipes.policies import COLOUR, check_channels, names

POLICIES: dict[str, Callable[[], nn.Module]] = {
    "flip": lambda: K.RandomHorizontalFlip(p=0.5),
    # By whole pixels: interpolation would hide from the discriminator how sharp the images are.
    "translation": lambda: K.RandomAffine(0.0, translate=(0.125, 0.125), resample="nearest", p=1.0),
    "rotation": lambda: K.RandomRotation(degrees=15.0, p=0.5),
    "scale": lambda: K.RandomAffine(degrees=0.0, scale=(0.85, 1.15), p=0.5),
    "cutout": lambda: K.RandomErasing(scale=(0.05, 0.2), ratio=(0.5, 2.0), p=0.5),
    "brightness": lambda: K.RandomBrightness((0.8, 1.2), p=0.5),
    "contrast": lambda: K.RandomContrast((0.8, 1.2), p=0.5),
    "saturation": lambda: K.RandomSaturation((0.6, 1.4), p=0.5),
}
"""Those of shape fill with zeros, so they are given what is above the ground."""
SPEED = 500_000
"""Images in which the strength of an adaptive augmentation may go from nothing to all."""
THIN = 0.05
"""Coverage under which a premultiplied colour is too faint to be told."""


class Augment(nn.Module):
    """x: (B, C, H, W) in [-1, 1] -> the same shape and range; four channels are premultiplied RGBA.

    ``ground``: the colour around the products, which fills what moves in. ``strength``: the share of the
    images that is changed, 1 unless somebody moves it. With a ``target`` `adapt` does, so that the
    discriminator is as sure of real images as the target says: the sign of its logits, on average (Karras et
    al. 2020: 0.6). It moves it up to ``most``.
    """

    def __init__(
        self,
        policy: str,
        channels: int,
        ground: str = "#000000",
        target: float | None = None,
        most: float = 1.0,
    ) -> None:
        super().__init__()
        self._names = names(policy)
        check_channels(policy, channels)
        self.steps = nn.ModuleList([POLICIES[name]() for name in self._names])
        self.target, self.most = target, most
        self.strength: Tensor
        self.register_buffer("strength", torch.tensor(1.0 if target is None else 0.0))
        self.ground: Tensor
        self.register_buffer("ground", _level(ground, channels), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not len(self.steps):
            return x
        # In bf16 a shift by whole pixels is none any more: matrices would be rounded to eight bits.
        with torch.autocast(x.device.type, enabled=False):
            return self._augmented(x.float())

    def _augmented(self, x: Tensor) -> Tensor:
        augmented = (x + 1.0) / 2.0  # the range that kornia works in
        for name, step in zip(self._names, self.steps, strict=True):
            if name in COLOUR:
                augmented = _recoloured(step, augmented)
            else:
                augmented = _applied(step, augmented - self.ground) + self.ground
        chosen = drawn(torch.rand, len(x), 1, 1, 1, device=x.device) < self.strength
        return torch.where(chosen, augmented * 2.0 - 1.0, x)

    @torch.no_grad()
    def adapt(self, real: Tensor) -> None:
        """Logits (B,) of real images: a discriminator that is too sure is given a harder view."""
        if self.target is not None:
            sure = mean(real.sign().sum()) / len(real)  # sums are exact, wherever they are taken
            change = torch.sign(sure - self.target) * len(real) * size() / SPEED
            self.strength.add_(change).clamp_(0.0, self.most)


def _level(ground: str, channels: int) -> Tensor:
    """The ground's levels in [0, 1], (1, C, 1, 1); around premultiplied products there is nothing."""
    modes = {1: "L", 3: "RGB"}
    levels = ImageColor.getcolor(ground, modes[channels]) if channels in modes else (0,) * channels
    return torch.tensor(levels).view(1, channels, 1, 1) / 255.0


def _recoloured(step: nn.Module, x: Tensor) -> Tensor:
    """A change of colours, which are whole only where the product is."""
    if x.shape[1] != 4:
        return _applied(step, x)
    colour, alpha = straight(x)
    return torch.cat([_applied(step, colour) * alpha, alpha], 1)


def _applied(step: nn.Module, x: Tensor) -> Tensor:
    """A step of kornia's to this process's images, by its rows of what is drawn for all."""
    whole = step.forward_parameters(torch.Size((len(x) * size(), *x.shape[1:])))
    own = {name: value if name == "forward_input_shape" else mine(value) for name, value in whole.items()}
    return step(x, params=own)


def straight(layers: Tensor) -> tuple[Tensor, Tensor]:
    """Premultiplied (B, 4, H, W) in [0, 1] -> colours (B, 3, H, W), whole however thin, and alpha."""
    alpha = layers[:, 3:]
    return (layers[:, :3] / alpha.clamp(min=THIN)).clamp(0.0, 1.0), alpha
