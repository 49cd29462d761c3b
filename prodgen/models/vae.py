"""A two-stage conditional variational autoencoder (Kingma & Welling 2014; Dai & Wipf 2019).

The first stage encodes images as codes, whose distribution differs from the prior of this stage. The second
stage, a small autoencoder of codes, learns their distribution for each condition. Sampling starts from the
second stage.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.layers import Conditioned
from prodgen.models.resnet import ResNetGenerator, down_blocks
from prodgen.spec.attributes import AttributeSchema

Gaussian = tuple[Tensor, Tensor]
"""Mean and log variance of a Gaussian, both of the same shape."""


class VAE(ResNetGenerator):
    """A VAE of two stages. A latent is a latent of the second stage, followed by noise of the same length.

    Both halves are as long as a code. A VAE-GAN (Larsen et al. 2016) has the same networks and another
    training method.
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
        """Make images: latent (B, latent_dim), condition (B, D) -> (B, channels, size, size) in [-1, 1]."""
        return self.decode(self.prior(latent, condition), condition)

    def encode(self, image: Tensor, condition: Tensor) -> Gaussian:
        """Encode images (B, C, H, W) in [-1, 1] as mean and log variance of codes, (B, latent_dim / 2)."""
        seen = F.relu(self.look(image)).flatten(1)
        mean, log_variance = self.to_code(torch.cat([seen, condition], 1)).float().chunk(2, 1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def decode(self, code: Tensor, condition: Tensor) -> Tensor:
        """Decode codes (B, latent_dim / 2) to images (B, C, H, W) in [-1, 1]."""
        return super().forward(code, condition)

    def find_latents(self, image: Tensor, condition: Tensor) -> Tensor:
        """Return latents (B, latent_dim) with the same mean codes as images (B, C, H, W) in [-1, 1]."""
        return self.prior.find_latents(self.encode(image, condition)[0], condition)

    def reconstruct(self, image: Tensor, condition: Tensor) -> Tensor:
        """Encode and decode images (B, C, H, W) in [-1, 1]; return images of the same shape and range."""
        return self.decode(self.encode(image, condition)[0], condition)


class CodePrior(nn.Module):
    """The second stage: a variational autoencoder of codes.

    A code and a latent of this stage both have the length d.
    """

    def __init__(self, code: int, condition_dim: int, width: int = 256) -> None:
        super().__init__()
        self.encoder = _perceptron(code, condition_dim, width, 2 * code)
        self.decoder = _perceptron(code, condition_dim, width, code)
        self.log_sigma = nn.Parameter(torch.tensor(-1.0))

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Return codes (B, d) for latents (B, 2 d) and conditions (B, D).

        The first half of a latent is a latent of the second stage, the other half is noise.
        """
        second, noise = latent.chunk(2, 1)
        return self.decode(second, condition) + soft_floor(self.log_sigma).exp() * noise

    def find_latents(self, code: Tensor, condition: Tensor) -> Tensor:
        """Return latents (B, 2 d) from which `forward` makes the codes (B, d)."""
        second = self.encode(code, condition)[0]
        noise = (code - self.decode(second, condition)) / soft_floor(self.log_sigma).exp()
        return torch.cat([second, noise], 1)

    def encode(self, code: Tensor, condition: Tensor) -> Gaussian:
        """Encode codes (B, d); return mean and log variance of the latents, each (B, d)."""
        mean, log_variance = self.encoder(torch.cat([code, condition], 1)).float().chunk(2, 1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def decode(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Decode latents (B, d); return the means of the codes, (B, d)."""
        return self.decoder(torch.cat([latent, condition], 1)).float()


def soft_floor(log_sigma: Tensor) -> Tensor:
    """Return ``log_sigma``, smoothly limited to values above -5, so that the likelihood stays finite."""
    return -5.0 + F.softplus(log_sigma + 5.0)


def _perceptron(inputs: int, condition_dim: int, width: int, outputs: int) -> nn.Sequential:
    first = Conditioned(inputs, condition_dim, width)
    return nn.Sequential(first, nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs))
