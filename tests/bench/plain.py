"""The same GAN as most write it: eager PyTorch, NCHW, fp32, and blocks that upsample before they convolve."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.layers import UpBlock
from prodgen.models.resnet import ResNetDiscriminator, ResNetGenerator
from prodgen.spec.attributes import AttributeSchema
from prodgen.training.recipes.recipe import GanRecipe


class UsualUpBlock(UpBlock):
    """The same layers in the usual order: (B, in, H, W) -> (B, out, sH, sW)."""

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = F.relu(self.norm1(x, condition))
        if self.up:
            h = F.interpolate(h, scale_factor=2, mode="nearest")
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        h = self.conv1(h)
        h = self.conv2(F.relu(self.norm2(h, condition)))
        return self.shortcut(x) + h


class PlainGan:
    """The recipe's networks, losses and rates; a step of each network for a batch, and nothing else."""

    def __init__(self, recipe: GanRecipe, schema: AttributeSchema, size: int, channels: int) -> None:
        widths = list(recipe.widths)
        self.generator = ResNetGenerator(
            attributes=schema, size=size, channels=channels, latent_dim=recipe.latent_dim, widths=widths
        )
        condition_dim = self.generator.condition_dim
        self.generator.blocks = nn.ModuleList(
            [UsualUpBlock(widths[0], widths[0], condition_dim, up=False)]
            + [UsualUpBlock(coarse, fine, condition_dim, up=True) for coarse, fine in pairwise(widths)]
        )
        self.discriminator = ResNetDiscriminator(condition_dim, channels, size, widths)
        self.g_optimizer, self.d_optimizer = (
            torch.optim.Adam(network.parameters(), rate, recipe.betas)
            for network, rate in (
                (self.generator, recipe.generator_lr),
                (self.discriminator, recipe.discriminator_lr),
            )
        )

    def to(self, device: str) -> "PlainGan":
        self.generator.to(device)
        self.discriminator.to(device)
        return self

    def step(self, real: Tensor, condition: Tensor) -> None:
        """real: (B, C, H, W) in [-1, 1]; condition: (B, D)."""
        fake = self.generator(self._noise(real), condition).detach()
        loss = F.relu(1 - self.discriminator(real, condition)).mean()
        loss = loss + F.relu(1 + self.discriminator(fake, condition)).mean()
        self.d_optimizer.zero_grad()
        loss.backward()
        self.d_optimizer.step()
        loss = -self.discriminator(self.generator(self._noise(real), condition), condition).mean()
        self.g_optimizer.zero_grad()
        loss.backward()
        self.g_optimizer.step()

    def _noise(self, real: Tensor) -> Tensor:
        return torch.randn(len(real), self.generator.latent_dim, device=real.device)
