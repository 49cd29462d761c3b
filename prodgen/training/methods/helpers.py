"""Helpers: small conditional heads on a frozen network, which help a GAN's discriminator.

The frozen network knows what things look like, so few images suffice (Vision-aided GAN, Kumari et al. 2022,
and Projected GAN, Sauer et al. 2021). The trained generator needs none of it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.efficientnet_lite import WIDTHS, efficientnet_levels
from prodgen.models.layers import Conditioned
from prodgen.settings import settings
from prodgen.training.distributed.world import draw_shard

HEAD_WIDTH = 64


class Helpers(nn.Module):
    """Three heads on three levels of EfficientNet-Lite0. They learn, and the network stays as it is.

    Raises ProdgenError if the network's weights are missing or are not the published ones.
    """

    def __init__(self, condition_dim: int, device: torch.device) -> None:
        super().__init__()
        self.heads = nn.ModuleList([_Head(width, condition_dim) for width in WIDTHS]).to(device)
        levels = efficientnet_levels(settings().feature_weights)
        # Outside of the module's state: checkpoints need not hold what the published file holds.
        self._levels = [level.to(device, memory_format=torch.channels_last) for level in levels]

    def forward(self, rgb: Tensor, condition: Tensor) -> Tensor:
        """Return the heads' logits (3, B) for pictures (B, 3, H, W) in [-1, 1] with ``condition`` (B, D)."""
        logits, x = [], rgb.contiguous(memory_format=torch.channels_last)
        for level, head in zip(self._levels, self.heads, strict=True):
            x = level(x)
            logits.append(head(x, condition))
        return torch.stack(logits)

    def discriminator_loss(self, real: Tensor, fake: Tensor, condition: Tensor) -> Tensor:
        """Return the heads' hinge loss for real and generated images (B, C, H, W) of one condition each.

        Real images with the condition of another image count as generated ones too. Without them the heads
        hardly looked at the condition, and the generator left it.
        """
        grounds = _grounds(real)
        real, fake = _laid_on(real, grounds), _laid_on(fake, grounds)
        logits = self(torch.cat([real, fake]), torch.cat([condition, condition]))
        other = condition.roll(1, 0)
        differs = (other != condition).any(1)  # the same condition does not make a real image a wrong one
        mismatched = (F.relu(1.0 + self(real, other)) * differs).sum(1).mean() / differs.sum().clamp(min=1)
        right, generated = logits[:, : len(real)], logits[:, len(real) :]
        wrong = 0.5 * (F.relu(1.0 + generated).mean() + mismatched)
        return F.relu(1.0 - right).mean() + wrong

    def generator_loss(self, fake: Tensor, condition: Tensor) -> Tensor:
        """Return the generator's loss for its images (B, C, H, W)."""
        return -self(_laid_on(fake, _grounds(fake)), condition).mean()


class _Head(nn.Module):
    """Judges the features (B, width, h, w) of a level by their place and the condition (B, D)."""

    def __init__(self, width: int, condition_dim: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, HEAD_WIDTH, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(HEAD_WIDTH, HEAD_WIDTH, 3, padding=1),
        )
        self.linear = nn.Linear(HEAD_WIDTH, 1)
        self.projection = Conditioned(0, condition_dim, HEAD_WIDTH, bias=False) if condition_dim else None

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        pooled = F.leaky_relu(self.body(features), 0.2).float().mean((2, 3))
        with torch.autocast(features.device.type, enabled=False):
            logits: Tensor = self.linear(pooled).squeeze(1)
            if self.projection is not None:
                logits = logits + (self.projection(condition) * pooled).sum(1)
        return logits


def _grounds(images: Tensor) -> Tensor:
    """Draw a random colour (B, 3, 1, 1) in [0, 1] for each image."""
    return draw_shard(torch.rand, len(images), 3, 1, 1, device=images.device)


def _laid_on(images: Tensor, grounds: Tensor) -> Tensor:
    """Return RGB images in [-1, 1]. Cut-outs, premultiplied RGBA, are laid on ``grounds``.

    So the network, which knows no transparency, sees the outline, and the alpha channel gets a gradient.
    """
    channels = images.shape[1]
    if channels < 4:
        return images.expand(-1, 3, -1, -1)
    levels = (images.float() + 1.0) / 2.0
    return (levels[:, :3] + (1.0 - levels[:, 3:]) * grounds) * 2.0 - 1.0
