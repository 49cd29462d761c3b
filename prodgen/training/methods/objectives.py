"""The loss functions of the networks, with the formulas of the papers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.vae import soft_floor
from prodgen.training.distributed.collectives import world_mean
from prodgen.training.distributed.world import draw_shard

LogitLoss = Callable[[Tensor, Tensor], Tensor]
"""Takes the logits (B,) of real images and of generated images; returns a scalar loss."""


@dataclass(frozen=True)
class Loss:
    """The losses of both networks. ``paired``: the generator's loss also needs the logits of real images."""

    discriminator: LogitLoss
    generator: LogitLoss
    paired: bool = False

    @property
    def chance(self) -> float:
        """The discriminator's loss if it gives every image the logit 0, the best of all constant logits."""
        zero = torch.zeros(1)
        return float(self.discriminator(zero, zero))


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
    # Arjovsky et al. 2017; needs `gradient_penalty`
    "wasserstein": Loss(
        lambda real, fake: fake.mean() - real.mean(),
        lambda _, fake: -fake.mean(),
    ),
    # Jolicoeur-Martineau 2019: compares a generated and a real image of one condition; needs R1 and R2
    "relativistic": Loss(
        lambda real, fake: F.softplus(fake - real).mean(),
        lambda real, fake: F.softplus(real - fake).mean(),
        paired=True,
    ),
}


def zero_centred(logits: Tensor, images: Tensor) -> Tensor:
    """Return the mean over images of the squared norm of the gradient of logits (B,) by ``images``.

    This is the penalty R1 for real images and R2 for generated images (Mescheder et al. 2018).
    """
    [gradient] = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def one_centred(discriminator: nn.Module, real: Tensor, fake: Tensor, condition: Tensor) -> Tensor:
    """Return the penalty of WGAN-GP (Gulrajani et al. 2017), a scalar.

    ``real``, ``fake``: (B, C, H, W). The penalty is the mean of (gradient norm - 1)^2 over random mixtures,
    each of a real and a fake image.
    """
    share = draw_shard(torch.rand, len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(real, fake, share).requires_grad_()
    [gradient] = torch.autograd.grad(discriminator(between, condition).sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1.0).square().mean()


def divergence(mean: Tensor, log_variance: Tensor, free_bits: float = 0.0) -> Tensor:
    """Return the KL divergence of Gaussians (B, d) from the standard normal distribution, a scalar.

    The unit is nats per image. ``free_bits``: nats per dimension below which the divergence has no gradient
    (Kingma et al. 2016).
    """
    nats = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
    return world_mean(nats.mean(0)).clamp(min=free_bits).sum()


def likelihood(error: Tensor, log_sigma: Tensor) -> Tensor:
    """Return the mean Gaussian negative log likelihood per pixel value or latent value, up to a constant.

    ``error``: mean squared error. ``log_sigma``: the log of the standard deviation, which is learned. At its
    optimum sigma squared equals the error, so error and KL divergence need no weight between them
    (Dai & Wipf 2019, Rybkin et al. 2021).
    """
    log_sigma = soft_floor(log_sigma)
    return 0.5 * error * torch.exp(-2.0 * log_sigma) + log_sigma
