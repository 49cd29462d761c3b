"""What the two networks of a GAN are asked to minimise; each function reads like its paper."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.vae import soft_floor
from prodgen.training.distributed.exchange import mean as mean_of_all
from prodgen.training.distributed.world import drawn

Judged = Callable[[Tensor, Tensor], Tensor]
"""Logits (B,) of real and of generated images -> a loss."""


@dataclass(frozen=True)
class Loss:
    """The two sides of a game. ``paired``: the generator's side looks at the real logits as well."""

    discriminator: Judged
    generator: Judged
    paired: bool = False

    @property
    def blind(self) -> float:
        """The least that a discriminator can lose that judges real and generated images alike."""
        nothing = torch.zeros(1)
        return float(self.discriminator(nothing, nothing))


LOSSES = {
    # Goodfellow et al. 2014
    "non-saturating": Loss(
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda _, fake: F.softplus(-fake).mean(),
    ),
    # Lim & Ye 2017
    "hinge": Loss(
        lambda real, fake: F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean(),
        lambda _, fake: -fake.mean(),
    ),
    # Mao et al. 2017
    "least-squares": Loss(
        lambda real, fake: (real - 1.0).square().mean() + (fake + 1.0).square().mean(),
        lambda _, fake: (fake - 1.0).square().mean(),
    ),
    # Arjovsky et al. 2017; wants `gradient_penalty`
    "wasserstein": Loss(
        lambda real, fake: fake.mean() - real.mean(),
        lambda _, fake: -fake.mean(),
    ),
    # Jolicoeur-Martineau 2019: each fake against a real of its own condition; wants R1 and R2
    "relativistic": Loss(
        lambda real, fake: F.softplus(fake - real).mean(),
        lambda real, fake: F.softplus(real - fake).mean(),
        paired=True,
    ),
}


def zero_centred(logits: Tensor, images: Tensor) -> Tensor:
    """The mean squared gradient of logits (B,) at their images: R1 or R2 (Mescheder et al. 2018)."""
    [gradient] = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def one_centred(discriminator: nn.Module, real: Tensor, fake: Tensor, condition: Tensor) -> Tensor:
    """How far the gradient's norm is from one between real images and fakes (Gulrajani et al. 2017)."""
    share = drawn(torch.rand, len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(real, fake, share).requires_grad_()
    [gradient] = torch.autograd.grad(discriminator(between, condition).sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1.0).square().mean()


def divergence(mean: Tensor, log_variance: Tensor, free_bits: float = 0.0) -> Tensor:
    """KL of a diagonal Gaussian, two times (B, d), from the standard one -> nats an image, a scalar.

    ``free_bits``: nats that each dimension may cost without being pressed (Kingma et al. 2016).
    """
    nats = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
    return mean_of_all(nats.mean(0)).clamp(min=free_bits).sum()


def likelihood(error: Tensor, log_sigma: Tensor) -> Tensor:
    """The negative log likelihood a number, up to a constant, of squared errors under a learned deviation.

    At its optimum the deviation is the error itself, so no weight between error and KL has to be found
    (Dai & Wipf 2019, Rybkin et al. 2021).
    """
    log_sigma = soft_floor(log_sigma)
    return 0.5 * error * torch.exp(-2.0 * log_sigma) + log_sigma
