"""Train a VAE-GAN (Larsen et al. 2016): features of the discriminator measure the error of images.

The discriminator learns from reconstructions and from samples of the second stage, because orders need
samples. Unlike in the paper, the adversarial loss of reconstructions trains the encoder too. Codes then hold
half as many nats, and the second stage can learn their distribution (Fashion-MNIST: a Fréchet distance of 15
after 115,000 images; without this loss, 45 after 96,000).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from prodgen.models.base import ProjectionDiscriminator
from prodgen.models.vae import VAE
from prodgen.training.batches import Batch
from prodgen.training.distributed.collectives import world_mean
from prodgen.training.distributed.world import draw_shard, world_size
from prodgen.training.methods.method import Losses, autocast, frozen, optimizer_step
from prodgen.training.methods.objectives import LOSSES, divergence
from prodgen.training.methods.vae import Vae, prior_step, sample
from prodgen.training.recipes.recipe import VaeGanRecipe


class VaeGan(Vae):
    """Trains a two-stage VAE with a discriminator, which makes the decoder's images sharp."""

    recipe: VaeGanRecipe

    def __init__(self, recipe: VaeGanRecipe, generator: VAE, discriminator: ProjectionDiscriminator) -> None:
        super().__init__(recipe, generator)
        self.discriminator, self.loss = discriminator, LOSSES[recipe.loss]
        self.modules["discriminator"] = discriminator
        for name, parameters, rate in (
            ("autoencoder", self.optimizers["autoencoder"].param_groups[0]["params"], recipe.autoencoder_lr),
            ("discriminator", list(discriminator.parameters()), recipe.discriminator_lr),
        ):
            self.optimizers[name] = torch.optim.Adam(parameters, rate, recipe.betas)

    def step(self, batches: list[Batch], progress: float) -> Losses:
        """Train the discriminator, then the encoder and decoder, then the second stage."""
        parts, clip = batches[0].split(self.recipe.accumulate), self.recipe.clip
        numbers: Losses = {}
        codes: list[Tensor] = []
        numbers["discriminator"] = optimizer_step(
            self.optimizers["discriminator"], map(self._discriminator_loss, parts), len(parts), clip
        )
        if self.discriminator_only:
            return numbers
        kl_weight = self.kl_weight(progress)
        losses = (self._autoencoder_loss(part, kl_weight, codes, numbers) for part in parts)
        with frozen(self.discriminator):
            numbers["loss"] = optimizer_step(self.optimizers["autoencoder"], losses, len(parts), clip)
        numbers["prior"] = prior_step(self.generator, self.optimizers["prior"], codes, parts, clip)
        return numbers

    def _discriminator_loss(self, batch: Batch) -> Tensor:
        """Return the discriminator's loss on the real images of ``batch`` and equally many generated images.

        Half of the generated images are reconstructions, the other half are samples.
        """
        half = len(batch.real) // 2
        with autocast(self.recipe, batch):
            with torch.no_grad():
                code = sample(self.generator.encode(batch.real[:half], batch.condition[:half]))
                code = torch.cat([code, self._sample_codes(batch.condition[half:])])
                fake = self.generator.decode(code, batch.condition).float()
            both = torch.cat([batch.condition, batch.condition])
            logits = self.discriminator(torch.cat([batch.real, fake]), both)
            return self.loss.discriminator(*logits.chunk(2))

    def _autoencoder_loss(
        self, batch: Batch, kl_weight: float, codes: list[Tensor], numbers: Losses
    ) -> Tensor:
        """Return the autoencoder's loss. Append codes to ``codes``; write the loss's parts to ``numbers``."""
        recipe, count = self.recipe, len(batch.real)
        both = torch.cat([batch.condition, batch.condition])
        with autocast(recipe, batch):
            posterior = self.generator.encode(batch.real, batch.condition)
            code = sample(posterior)
            fake = self.generator.decode(torch.cat([code, self._sample_codes(batch.condition)]), both).float()
            with torch.no_grad():
                expected = self.discriminator.body(batch.real).float()
            features = self.discriminator.body(fake).float()
            logits = self.discriminator.logits(features, both)
        error = F.mse_loss(fake[:count], batch.real)
        perceived = _relative_error(features[:count], expected)
        kl = divergence(*posterior, recipe.free_bits)
        codes.append(code.detach())
        numbers.update(reconstruction=error.detach(), perceived=perceived.detach(), kl=kl.detach())
        adversarial = self.loss.generator(logits, logits)
        return adversarial + recipe.pixels * error + recipe.features * perceived + kl_weight * kl

    @torch.no_grad()
    def _sample_codes(self, condition: Tensor) -> Tensor:
        """Draw codes (B, d) from the second stage, without gradient."""
        latent = draw_shard(torch.randn, len(condition), self.generator.latent_dim, device=condition.device)
        return self.generator.prior(latent, condition)


def _relative_error(features: Tensor, expected: Tensor) -> Tensor:
    """Return the mean squared error of features (B, C, h, w), divided by each channel's variance."""
    error = (features - expected).square().mean((0, 2, 3))
    return (error / _variance(expected).clamp(min=1e-6)).mean()


def _variance(features: Tensor) -> Tensor:
    """Return each channel's unbiased variance (C,) in features (B, C, h, w) of all processes' images."""
    centre = world_mean(features.mean((0, 2, 3), keepdim=True))
    count = world_size() * features[:, 0].numel()
    return world_mean((features - centre).square().mean((0, 2, 3))) * count / (count - 1)
