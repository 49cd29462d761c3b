"""Training a two-stage variational autoencoder: both stages at once, the second on the first's codes."""

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F

from prodgen.models.vae import VAE, Gaussian
from prodgen.training.batches import Batch
from prodgen.training.distributed.world import drawn
from prodgen.training.methods.method import Losses, autocast, descend
from prodgen.training.methods.objectives import divergence, likelihood
from prodgen.training.recipes.recipe import VaeRecipe


class Vae:
    """The second stage learns from codes that it cannot change, so the first is what it would be alone."""

    batches, alone = 1, False

    def __init__(self, recipe: VaeRecipe, generator: VAE) -> None:
        self.recipe, self.generator = recipe, generator
        self.modules = {"generator": generator}
        prior = set(generator.prior.parameters())
        first = [p for p in generator.parameters() if p not in prior]
        self.optimizers = {
            "autoencoder": torch.optim.Adam(first, recipe.autoencoder_lr, (0.9, 0.999)),
            "prior": torch.optim.Adam(generator.prior.parameters(), recipe.prior_lr, (0.9, 0.999)),
        }

    def press(self, progress: float) -> float:
        """The weight of the KL, which rises over the warm-up."""
        recipe = self.recipe
        return recipe.beta * min(1.0, progress / recipe.warm_up if recipe.warm_up else 1.0)

    def step(self, batches: list[Batch], progress: float) -> Losses:
        """One step of each stage; reconstruction (mean squared error) and KL (nats an image) apart."""
        [batch] = batches
        numbers: Losses = {}
        codes: list[Tensor] = []

        def first(part: Batch) -> Tensor:
            with autocast(self.recipe, part):
                posterior = self.generator.encode(part.real, part.condition)
                code = sample(posterior)
                error = F.mse_loss(self.generator.decode(code, part.condition).float(), part.real)
            kl = divergence(*posterior, self.recipe.free_bits)
            numbers.update(reconstruction=error.detach(), kl=kl.detach())
            codes.append(code.detach())
            pixels = part.real[0].numel()
            return likelihood(error, self.generator.log_sigma) + self.press(progress) * kl / pixels

        parts = batch.split(self.recipe.accumulate)
        clip = self.recipe.clip
        numbers["loss"] = descend(self.optimizers["autoencoder"], map(first, parts), len(parts), clip)
        numbers["prior"] = prior_step(self.generator, self.optimizers["prior"], codes, parts, clip)
        return numbers


def sample(posterior: Gaussian) -> Tensor:
    """A code from its posterior, differentiable in both of its parameters."""
    mean, log_variance = posterior
    return mean + torch.exp(0.5 * log_variance) * drawn(torch.randn, *mean.shape, device=mean.device)


def prior_step(
    generator: VAE, optimizer: torch.optim.Optimizer, codes: list[Tensor], parts: list[Batch], clip: float
) -> Tensor:
    """One step of the second stage towards how the codes of ``parts`` lie -> its loss a number of a code."""

    def loss(code: Tensor, condition: Tensor) -> Tensor:
        posterior = generator.prior.encode(code, condition)
        error = F.mse_loss(generator.prior.decode(sample(posterior), condition), code)
        return likelihood(error, generator.prior.log_sigma) + divergence(*posterior) / code.shape[1]

    losses = itertools.starmap(loss, zip(codes, (part.condition for part in parts), strict=True))
    return descend(optimizer, losses, len(parts), clip)
