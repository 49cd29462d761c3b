"""Residual GANs with projection discriminators: SNGAN (Miyato & Koyama 2018), SAGAN (Zhang et al. 2019).

`ResNetGenerator` is the default on a CPU: small, and stable under the hinge loss.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from prodgen.models.base import ImageGenerator, ProjectionDiscriminator
from prodgen.models.layers import Conditioned, DownBlock, SelfAttention, UpBlock
from prodgen.spec.attributes import AttributeSchema


class ResNetGenerator(ImageGenerator):
    """Residual blocks with conditional batch normalisation.

    ``upsampling``: "nearest" or "bilinear". With "nearest", small networks draw a faint grid, which repeats
    every four pixels, in areas of one colour (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts").
    """

    def __init__(
        self,
        *,
        attributes: AttributeSchema,
        size: int = 28,
        channels: int = 1,
        latent_dim: int = 128,
        widths: list[int] | None = None,
        upsampling: str = "nearest",
        ground: str = "#000000",
        precision: str = "fp32",
        tolerance: int = 1,
        family: str = "resnet",
        format: int = 1,
    ) -> None:
        widths = widths or [128, 96, 64]
        super().__init__(attributes, size, channels, latent_dim, widths)
        self.dense = Conditioned(latent_dim, self.condition_dim, widths[0] * self.bottom**2)
        self.blocks = nn.ModuleList(
            [UpBlock(widths[0], widths[0], self.condition_dim, up=None)]
            + [UpBlock(coarse, fine, self.condition_dim, up=upsampling) for coarse, fine in pairwise(widths)]
        )
        self.norm = nn.BatchNorm2d(widths[-1])
        self.to_pixels = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Make images: latent (B, latent_dim), condition (B, D) -> (B, channels, size, size) in [-1, 1]."""
        h = self.bottom_features(latent, condition)
        for block in self.blocks:
            h = block(h, condition)
        return self.pixels(h)

    def bottom_features(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Return the input (B, widths[0], h, h) of the first block, with the coarsest side h."""
        return self.dense(torch.cat([latent, condition], 1)).unflatten(1, (-1, self.bottom, self.bottom))

    def pixels(self, features: Tensor) -> Tensor:
        """Return images (B, channels, H, W) in [-1, 1] of the last block's output (B, widths[-1], H, W)."""
        return torch.tanh(self.to_pixels(F.relu(self.norm(features))))


class ResNetDiscriminator(ProjectionDiscriminator):
    """Residual blocks with spectral norm. ``widths``: as for the generator, from coarsest to finest."""

    def __init__(self, condition_dim: int, channels: int, size: int, widths: list[int]) -> None:
        super().__init__(down_blocks(channels, widths), widths[0], condition_dim)


def down_blocks(channels: int, widths: list[int], *, spectral: bool = True) -> nn.Sequential:
    """Return the residual blocks of a discriminator, as one network.

    The network maps (B, channels, size, size) to (B, widths[0], h, h), with h = size / 2 ** (len(widths) -
    1).
    """
    fine_to_coarse = widths[::-1]
    return nn.Sequential(
        DownBlock(channels, fine_to_coarse[0], down=True, first=True, spectral=spectral),
        *[
            DownBlock(fine, coarse, down=k < len(widths) - 2, spectral=spectral)
            for k, (fine, coarse) in enumerate(pairwise(fine_to_coarse))
        ],
    )


class SAGANGenerator(ResNetGenerator):
    """A residual generator with self-attention before the last upsampling.

    Call `constrain` before training.
    """

    def __init__(
        self,
        *,
        attributes: AttributeSchema,
        size: int = 28,
        channels: int = 1,
        latent_dim: int = 128,
        widths: list[int] | None = None,
        upsampling: str = "nearest",
        ground: str = "#000000",
        precision: str = "fp32",
        tolerance: int = 1,
        family: str = "sagan",
        format: int = 1,
    ) -> None:
        widths = widths or [128, 96, 64]
        super().__init__(
            attributes=attributes,
            size=size,
            channels=channels,
            latent_dim=latent_dim,
            widths=widths,
            upsampling=upsampling,
        )
        self.blocks.insert(len(self.blocks) - 1, SelfAttention(widths[-2]))

    def constrain(self) -> None:
        """Apply spectral norm to every convolution and to the dense layer."""
        for module in [m for m in self.modules() if isinstance(m, nn.Conv2d) or m is self.dense]:
            spectral_norm(module)


class SAGANDiscriminator(ProjectionDiscriminator):
    """A residual discriminator with self-attention after the first downsampling."""

    def __init__(self, condition_dim: int, channels: int, size: int, widths: list[int]) -> None:
        body = down_blocks(channels, widths)
        attention = SelfAttention(widths[-1])
        for part in (attention.query, attention.key, attention.value, attention.out):
            spectral_norm(part)
        body.insert(1, attention)
        super().__init__(body, widths[0], condition_dim)
