"""The residual GAN with spectral norm and a projection discriminator (Miyato & Koyama 2018).

The default on a CPU: small, stable under the hinge loss, and conditional in both networks.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from prodgen.attributes import AttributeSchema
from prodgen.models.condition import condition_size
from prodgen.models.hub import SafetensorsHubMixin
from prodgen.models.layers import DownBlock, UpBlock


class ResNetGenerator(
    nn.Module,
    SafetensorsHubMixin,
    library_name="prodgen",
    coders={AttributeSchema: (AttributeSchema.model_dump, AttributeSchema.model_validate)},
):
    """(latent, condition) -> image. Its arguments are its saved configuration.

    ``size``: side in pixels. ``widths``: channels from the coarsest resolution to the finest; the side of
    the coarsest is ``size / 2 ** (len(widths) - 1)``. ``ground``: the colour around the product in training.
    ``precision`` and ``tolerance`` (levels of 255) are the version's own promise of reproducibility.
    """

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
        family: str = "resnet",
        format: int = 1,
    ) -> None:
        super().__init__()
        self.schema, self.latent_dim, self.size, self.channels = attributes, latent_dim, size, channels
        widths = widths or [128, 96, 64]
        self.bottom = size >> (len(widths) - 1)
        if self.bottom << (len(widths) - 1) != size:
            raise ValueError(f"size {size} is not {len(widths) - 1} doublings of a whole number")
        self.condition_dim = condition_dim = condition_size(attributes)
        self.dense = nn.Linear(latent_dim + condition_dim, widths[0] * self.bottom**2)
        self.blocks = nn.ModuleList(
            [UpBlock(widths[0], widths[0], condition_dim, up=False)]
            + [UpBlock(coarse, fine, condition_dim, up=True) for coarse, fine in pairwise(widths)]
        )
        self.norm = nn.BatchNorm2d(widths[-1])
        self.to_pixels = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """latent: (B, latent_dim); condition: (B, D) -> (B, channels, size, size) in [-1, 1]."""
        h = self.dense(torch.cat([latent, condition], 1))
        h = h.view(len(latent), -1, self.bottom, self.bottom)
        for block in self.blocks:
            h = block(h, condition)
        return torch.tanh(self.to_pixels(F.relu(self.norm(h))))


class ResNetDiscriminator(nn.Module):
    """(image, condition) -> how real. Mirrors a generator of the same ``widths``."""

    def __init__(self, condition_dim: int, channels: int, widths: list[int]) -> None:
        super().__init__()
        fine_to_coarse = widths[::-1]
        self.blocks = nn.Sequential(
            DownBlock(channels, fine_to_coarse[0], down=True, first=True),
            *[
                DownBlock(fine, coarse, down=k < len(widths) - 2)
                for k, (fine, coarse) in enumerate(pairwise(fine_to_coarse))
            ],
        )
        self.linear = spectral_norm(nn.Linear(widths[0], 1))
        self.projection = spectral_norm(nn.Linear(condition_dim, widths[0], bias=False))

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """image: (B, C, H, W) in [-1, 1]; condition: (B, D) -> logits (B,)."""
        features = F.relu(self.blocks(image)).sum((2, 3))
        return self.linear(features).squeeze(1) + (self.projection(condition) * features).sum(1)
