"""A conditional variational autoencoder (Kingma & Welling 2014) with a second one on its codes.

What an encoder makes of real images is not distributed as the prior says. The second, small autoencoder
learns how the codes of each kind of product really lie (Dai & Wipf 2019), so that sampling meets them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.layers import Conditioned
from prodgen.models.resnet import ResNetGenerator, down_blocks
from prodgen.spec.attributes import AttributeSchema

Gaussian = tuple[Tensor, Tensor]
"""Mean and log variance, of one shape."""


class VAE(ResNetGenerator):
    """Latents are twice as long as codes: half says where the second stage looks, half is its noise.

    A VAE-GAN (Larsen et al. 2016) has the same networks; how it is trained, and against whom, is
    `prodgen.training.methods.vaegan`'s.
    """

    def __init__(
        self,
        *,
        attributes: AttributeSchema,
        size: int = 28,
        channels: int = 1,
        latent_dim: int = 64,
        widths: list[int] | None = None,
        ground: str = "#000000",
        precision: str = "fp32",
        tolerance: int = 1,
        family: str = "vae",
        format: int = 1,
    ) -> None:
        widths = widths or [128, 96, 32]
        code = latent_dim // 2
        super().__init__(attributes=attributes, size=size, channels=channels, latent_dim=code, widths=widths)
        self.latent_dim = latent_dim
        self.look = down_blocks(channels, widths, spectral=False)
        self.to_code = Conditioned(widths[0] * self.bottom**2, self.condition_dim, 2 * code)
        self.prior = CodePrior(code, self.condition_dim)
        self.log_sigma = nn.Parameter(torch.tensor(-1.0))

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """latent: (B, latent_dim); condition: (B, D) -> (B, channels, size, size) in [-1, 1]."""
        return self.decode(self.prior(latent, condition), condition)

    def encode(self, image: Tensor, condition: Tensor) -> Gaussian:
        """(B, C, H, W) in [-1, 1] -> the posterior of its code, two times (B, latent_dim / 2)."""
        seen = F.relu(self.look(image)).flatten(1)
        mean, log_variance = self.to_code(torch.cat([seen, condition], 1)).float().chunk(2, 1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def decode(self, code: Tensor, condition: Tensor) -> Tensor:
        """(B, latent_dim / 2) -> (B, C, H, W) in [-1, 1]."""
        return super().forward(code, condition)

    def reconstruct(self, image: Tensor, condition: Tensor) -> Tensor:
        """(B, C, H, W) in [-1, 1] -> what is left of it after its code, the same shape and range."""
        return self.decode(self.encode(image, condition)[0], condition)


class CodePrior(nn.Module):
    """The second stage: (latent, condition) -> code, by a variational autoencoder of codes."""

    def __init__(self, code: int, condition_dim: int, width: int = 256) -> None:
        super().__init__()
        self.encoder = _perceptron(code, condition_dim, width, 2 * code)
        self.decoder = _perceptron(code, condition_dim, width, code)
        self.log_sigma = nn.Parameter(torch.tensor(-1.0))

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """latent: (B, 2 d): d numbers that are decoded and d of noise; condition: (B, D) -> code (B, d)."""
        place, noise = latent.chunk(2, 1)
        return self.decode(place, condition) + floored(self.log_sigma).exp() * noise

    def encode(self, code: Tensor, condition: Tensor) -> Gaussian:
        """Code (B, d) -> the posterior of its place, two times (B, d)."""
        mean, log_variance = self.encoder(torch.cat([code, condition], 1)).float().chunk(2, 1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def decode(self, place: Tensor, condition: Tensor) -> Tensor:
        """Place (B, d) -> the mean of its code (B, d)."""
        return self.decoder(torch.cat([place, condition], 1)).float()


def floored(log_sigma: Tensor) -> Tensor:
    """A learned log deviation, kept softly above -5, so that no likelihood explodes."""
    return -5.0 + F.softplus(log_sigma + 5.0)


def _perceptron(inputs: int, condition_dim: int, width: int, outputs: int) -> nn.Sequential:
    first = Conditioned(inputs, condition_dim, width)
    return nn.Sequential(first, nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs))
