"""Train a two-stage VAE: each step trains both stages, the second stage on the codes of the first."""

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F

from prodgen.models.vae import VAE, Gaussian
from prodgen.training.batches import Batch
from prodgen.training.distributed.world import draw_shard
from prodgen.training.methods.method import Losses, autocast, optimizer_step
from prodgen.training.methods.objectives import divergence, likelihood
from prodgen.training.recipes.recipe import VaeRecipe


class Vae:
    """Trains both stages of a VAE.

    The second stage gets detached codes, so that its loss does not change the first stage.
    """

    batches, discriminator_only = 1, False

    def __init__(self, recipe: VaeRecipe, generator: VAE) -> None:
        self.recipe, self.generator = recipe, generator
        self.modules = {"generator": generator}
        prior = set(generator.prior.parameters())
        first = [p for p in generator.parameters() if p not in prior]
        self.optimizers = {
            "autoencoder": torch.optim.Adam(first, recipe.autoencoder_lr, (0.9, 0.999)),
            "prior": torch.optim.Adam(generator.prior.parameters(), recipe.prior_lr, (0.9, 0.999)),
        }

    def kl_weight(self, progress: float) -> float:
        """Return the weight of the KL divergence, which rises to ``beta`` during the warm-up."""
        recipe = self.recipe
        return recipe.beta * min(1.0, progress / recipe.warm_up if recipe.warm_up else 1.0)

    def step(self, batches: list[Batch], progress: float) -> Losses:
        """Train each stage once; return the losses, the mean squared error and the KL divergence."""
        [batch] = batches
        losses: Losses = {}
        codes: list[Tensor] = []

        def autoencoder_loss(part: Batch) -> Tensor:
            with autocast(self.recipe, part):
                posterior = self.generator.encode(part.real, part.condition)
                code = sample(posterior)
                error = F.mse_loss(self.generator.decode(code, part.condition).float(), part.real)
            kl = divergence(*posterior, self.recipe.free_bits)
            losses.update(reconstruction=error.detach(), kl=kl.detach())
            codes.append(code.detach())
            pixels = part.real[0].numel()
            return likelihood(error, self.generator.log_sigma) + self.kl_weight(progress) * kl / pixels

        parts, clip = batch.split(self.recipe.accumulate), self.recipe.clip
        losses["loss"] = optimizer_step(
            self.optimizers["autoencoder"], map(autoencoder_loss, parts), len(parts), clip
        )
        losses["prior"] = prior_step(self.generator, self.optimizers["prior"], codes, parts, clip)
        return losses


def sample(posterior: Gaussian) -> Tensor:
    """Draw codes from ``posterior``. Gradients pass through to its mean and log variance."""
    mean, log_variance = posterior
    return mean + torch.exp(0.5 * log_variance) * draw_shard(torch.randn, *mean.shape, device=mean.device)


def prior_step(
    generator: VAE, optimizer: torch.optim.Optimizer, codes: list[Tensor], parts: list[Batch], clip: float
) -> Tensor:
    """Train the second stage on the codes of ``parts``; return its loss per dimension of a code."""

    def loss(code: Tensor, condition: Tensor) -> Tensor:
        posterior = generator.prior.encode(code, condition)
        error = F.mse_loss(generator.prior.decode(sample(posterior), condition), code)
        return likelihood(error, generator.prior.log_sigma) + divergence(*posterior) / code.shape[1]

    losses = itertools.starmap(loss, zip(codes, (part.condition for part in parts), strict=True))
    return optimizer_step(optimizer, losses, len(parts), clip)
