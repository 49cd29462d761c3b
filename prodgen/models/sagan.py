"""SAGAN (Zhang et al. 2019): the residual GAN with self-attention and spectral norm in both networks."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from prodgen.models.base import ProjectionDiscriminator
from prodgen.models.layers import SelfAttention
from prodgen.models.resnet import ResNetGenerator, down_blocks
from prodgen.spec.attributes import AttributeSchema


class SAGANGenerator(ResNetGenerator):
    """A residual generator that attends before the last upsampling. Call `constrain` before training."""

    def __init__(
        self,
        *,
        attributes: AttributeSchema,
        size: int = 28,
        channels: int = 1,
        latent_dim: int = 128,
        widths: list[int] | None = None,
        ground: str = "#000000",
        precision: str = "fp32",
        tolerance: int = 1,
        family: str = "sagan",
        format: int = 1,
    ) -> None:
        widths = widths or [128, 96, 64]
        super().__init__(
            attributes=attributes, size=size, channels=channels, latent_dim=latent_dim, widths=widths
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
