"""Augment images by kornia: differentiable, in whole batches, on the device.

Both real and generated images are augmented before the discriminator sees them. Then small data sets suffice,
and generated images do not show the augmentation (Zhao et al. 2020, Karras et al. 2020). The training images
themselves are augmented only by changes that a generator may learn, such as mirroring.
"""

from collections.abc import Callable

import kornia.augmentation as K
import torch
from PIL import ImageColor
from torch import Tensor, nn

from prodgen.generation.recolour import unpremultiply
from prodgen.training.distributed.collectives import world_mean
from prodgen.training.distributed.world import draw_shard, shard, world_size
from prodgen.training.recipes.recipe import COLOUR, check_channels, parse_policy

AUGMENTATIONS: dict[str, Callable[[], nn.Module]] = {
    "flip": lambda: K.RandomHorizontalFlip(p=0.5),
    # Shift by whole pixels: interpolation would hide from the discriminator how sharp the images are.
    "translation": lambda: K.RandomAffine(0.0, translate=(0.125, 0.125), resample="nearest", p=1.0),
    "rotation": lambda: K.RandomRotation(degrees=15.0, p=0.5),
    "scale": lambda: K.RandomAffine(degrees=0.0, scale=(0.85, 1.15), p=0.5),
    "cutout": lambda: K.RandomErasing(scale=(0.05, 0.2), ratio=(0.5, 2.0), p=0.5),
    "brightness": lambda: K.RandomBrightness((0.8, 1.2), p=0.5),
    "contrast": lambda: K.RandomContrast((0.8, 1.2), p=0.5),
    "saturation": lambda: K.RandomSaturation((0.6, 1.4), p=0.5),
}
ADAPTATION_IMAGES = 500_000
"""Number of images over which the strength of an adaptive augmentation can rise from 0 to 1."""


class Augment(nn.Module):
    """Augments a random share of images x (B, C, H, W) in [-1, 1]; four channels are premultiplied RGBA.

    ``ground``: the colour that fills borders. ``strength``: the share of images that are augmented. Without a
    ``target``, the strength starts at 1. With a target, the strength starts at 0, and `adapt` changes it up
    to ``max_strength``. The target is the wanted mean sign of the discriminator's logits for real images
    (Karras et al. 2020: 0.6).
    """

    def __init__(
        self,
        policy: str,
        channels: int,
        ground: str = "#000000",
        target: float | None = None,
        max_strength: float = 1.0,
    ) -> None:
        super().__init__()
        self._names = parse_policy(policy)
        check_channels(policy, channels)
        self.steps = nn.ModuleList([AUGMENTATIONS[name]() for name in self._names])
        self.target, self.max_strength = target, max_strength
        self.strength: Tensor
        self.register_buffer("strength", torch.tensor(1.0 if target is None else 0.0))
        self.ground: Tensor
        self.register_buffer("ground", _ground_levels(ground, channels), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not len(self.steps):
            return x
        x = x.float()
        augmented = (x + 1.0) / 2.0  # the range that kornia expects
        # bf16 rounds the matrices of a shift to eight bits, so the shift would not be by whole pixels.
        with torch.autocast(x.device.type, enabled=False):
            for name, step in zip(self._names, self.steps, strict=True):
                if name in COLOUR:
                    augmented = _change_colours(step, augmented)
                else:  # fills borders with zeros, so the ground must be zero
                    augmented = _apply(step, augmented - self.ground) + self.ground
        chosen = draw_shard(torch.rand, len(x), 1, 1, 1, device=x.device) < self.strength
        return torch.where(chosen, augmented * 2.0 - 1.0, x)

    @torch.no_grad()
    def adapt(self, real: Tensor) -> None:
        """Raise the strength if the mean sign of ``real``, logits (B,), exceeds the target, else lower it."""
        if self.target is not None:
            mean_sign = world_mean(real.sign().sum()) / len(real)  # a sum of signs has no rounding error
            change = torch.sign(mean_sign - self.target) * len(real) * world_size() / ADAPTATION_IMAGES
            self.strength.add_(change).clamp_(0.0, self.max_strength)


def _ground_levels(ground: str, channels: int) -> Tensor:
    """Return the colour ``ground`` as (1, C, 1, 1) in [0, 1]; zeros for RGBA, whose ground is transparent."""
    modes = {1: "L", 3: "RGB"}
    levels = ImageColor.getcolor(ground, modes[channels]) if channels in modes else (0,) * channels
    return torch.tensor(levels).view(1, channels, 1, 1) / 255.0


def _change_colours(step: nn.Module, x: Tensor) -> Tensor:
    """Apply a colour augmentation. If the images have alpha, apply it to unpremultiplied colours."""
    if x.shape[1] != 4:
        return _apply(step, x)
    colour, alpha = unpremultiply(x)
    return torch.cat([_apply(step, colour) * alpha, alpha], 1)


def _apply(step: nn.Module, x: Tensor) -> Tensor:
    """Apply a kornia augmentation, with this process's rows of the whole batch's random parameters."""
    whole = step.forward_parameters(torch.Size((len(x) * world_size(), *x.shape[1:])))
    own = {name: value if name == "forward_input_shape" else shard(value) for name, value in whole.items()}
    return step(x, params=own)
