"""R3GAN (Huang et al. 2024): residual networks without normalisation, implemented from the paper.

The networks are trained with a relativistic loss and the penalties R1 and R2. Both networks consist of the
same blocks: an inverted bottleneck around a grouped convolution, and bilinear resampling. Fixup
initialisation (Zhang et al. 2019) makes each block return its input unchanged when training starts.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.base import ImageGenerator, ProjectionDiscriminator
from prodgen.models.layers import Conditioned
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.model_config import coarsest_side

GROUP, EXPANSION, SLOPE = 16, 2, 0.2
"""Channels per group of a convolution, inner channels per channel of a block, slope of leaky ReLU."""


class Block(nn.Module):
    """A residual block, which keeps the shape (B, C, H, W).

    ``depth``: the number of blocks in the network. The initial weights are smaller in a deeper network.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        inner = channels * EXPANSION
        groups = max(1, inner // GROUP)
        self.widen = nn.Conv2d(channels, inner, 1, bias=False)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1, groups=groups, bias=False)
        self.narrow = nn.Conv2d(inner, channels, 1, bias=False)
        self.bias = nn.ParameterList([nn.Parameter(torch.zeros(1, inner, 1, 1)) for _ in range(2)])
        for layer in (self.widen, self.mix):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            layer.weight.data *= depth**-0.25
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.widen(x) + self.bias[0], SLOPE)
        h = F.leaky_relu(self.mix(h) + self.bias[1], SLOPE)
        return x + self.narrow(h)


class Resample(nn.Module):
    """Resample bilinearly, then convolve pointwise: (B, inputs, H, W) -> (B, outputs, factor H, factor W)."""

    def __init__(self, inputs: int, outputs: int, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.pointwise = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=self.factor, mode="bilinear")
        return self.pointwise(x)


class R3GANGenerator(ImageGenerator):
    """Multiplies a learned tensor by numbers computed from latent and condition, then applies the blocks."""

    def __init__(
        self,
        *,
        attributes: AttributeSchema,
        size: int = 28,
        channels: int = 1,
        latent_dim: int = 64,
        widths: list[int] | None = None,
        blocks: int = 2,
        ground: str = "#000000",
        precision: str = "fp32",
        tolerance: int = 1,
        family: str = "r3gan",
        format: int = 1,
    ) -> None:
        widths = widths or [192, 128, 96]
        super().__init__(attributes, size, channels, latent_dim, widths)
        depth = blocks * len(widths)
        self.basis = nn.Parameter(torch.randn(widths[0], self.bottom, self.bottom))
        self.modulate = Conditioned(latent_dim, self.condition_dim, widths[0], bias=False)
        nn.init.kaiming_normal_(self.modulate.weight, 1.0)
        stages: list[nn.Module] = [Block(widths[0], depth) for _ in range(blocks)]
        for coarse, fine in pairwise(widths):
            stages += [Resample(coarse, fine, 2.0), *(Block(fine, depth) for _ in range(blocks))]
        self.stages = nn.Sequential(*stages)
        self.to_pixels = nn.Conv2d(widths[-1], channels, 1)

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Make images: latent (B, latent_dim), condition (B, D) -> (B, channels, size, size) in [-1, 1]."""
        scale = self.modulate(torch.cat([latent, condition], 1))
        return torch.tanh(self.to_pixels(self.stages(self.basis * scale[:, :, None, None])))


class R3GANDiscriminator(ProjectionDiscriminator):
    """Applies blocks from the finest resolution to the coarsest, then reduces each channel to one number."""

    def __init__(
        self, condition_dim: int, channels: int, size: int, widths: list[int], blocks: int = 2
    ) -> None:
        depth, side = blocks * len(widths), coarsest_side(size, widths)
        stages: list[nn.Module] = [nn.Conv2d(channels, widths[-1], 1)]
        for fine, coarse in pairwise(widths[::-1]):
            stages += [*(Block(fine, depth) for _ in range(blocks)), Resample(fine, coarse, 0.5)]
        stages += [Block(widths[0], depth) for _ in range(blocks)]
        gather = nn.Conv2d(widths[0], widths[0], side, groups=widths[0], bias=False)
        super().__init__(nn.Sequential(*stages, gather), widths[0], condition_dim, spectral=False)
