"""DCGAN (Radford et al. 2016): strided convolutions and batch normalisation, here with a condition."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from prodgen.models.base import ImageGenerator, ProjectionDiscriminator
from prodgen.models.layers import Conditioned
from prodgen.spec.attributes import AttributeSchema


class DCGANGenerator(ImageGenerator):
    """Makes images by transposed convolutions from the latent, to which the condition is appended."""

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
        family: str = "dcgan",
        format: int = 1,
    ) -> None:
        widths = widths or [256, 128, 64]
        super().__init__(attributes, size, channels, latent_dim, widths)
        self.dense = Conditioned(latent_dim, self.condition_dim, widths[0] * self.bottom**2, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for coarse, fine in pairwise(widths):
            up = nn.ConvTranspose2d(coarse, fine, 4, stride=2, padding=1, bias=False)
            layers += [up, nn.BatchNorm2d(fine), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 3, padding=1), nn.Tanh())
        self.apply(_init)

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Make images: latent (B, latent_dim), condition (B, D) -> (B, channels, size, size) in [-1, 1]."""
        h = self.dense(torch.cat([latent, condition], 1))
        return self.layers(h.unflatten(1, (-1, self.bottom, self.bottom)))


class DCGANDiscriminator(ProjectionDiscriminator):
    """Strided convolutions with leaky ReLU, and batch normalisation in all layers but the first."""

    uses_batch_statistics = True

    def __init__(self, condition_dim: int, channels: int, size: int, widths: list[int]) -> None:
        fine = widths[-1]
        layers: list[nn.Module] = [nn.Conv2d(channels, fine, 3, padding=1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(widths[::-1]):
            down = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
            layers += [down, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
        super().__init__(nn.Sequential(*layers), widths[0], condition_dim, spectral=False)
        self.apply(_init)


def _init(module: nn.Module) -> None:
    """Initialise a layer as in the paper: weights from N(0, 0.02), gains of normalisation from N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.weight.numel():
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
