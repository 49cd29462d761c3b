"""The adversarial game: one step of each network."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from prodgen.models.base import ImageGenerator, ProjectionDiscriminator
from prodgen.training.batches import Batch
from prodgen.training.methods.augment import Augment
from prodgen.training.methods.method import Losses, autocast, descend, noise, still
from prodgen.training.methods.objectives import LOSSES, one_centred, zero_centred
from prodgen.training.recipes.recipe import GanRecipe


class Gan:
    """A generator and a discriminator that learn from each other, through one augmentation."""

    def __init__(
        self, recipe: GanRecipe, generator: ImageGenerator, discriminator: ProjectionDiscriminator
    ) -> None:
        self.recipe, self.generator, self.discriminator = recipe, generator, discriminator
        augment = Augment(
            recipe.augment, generator.channels, recipe.ground, recipe.adaptive, recipe.augment_share
        )
        self.augment = augment.to(next(discriminator.parameters()).device)
        self.pressure, self.alone = 1.0, False
        self.loss = LOSSES[recipe.loss]
        self.batches = recipe.discriminator_steps
        self.modules = {"generator": generator, "discriminator": discriminator, "augment": self.augment}
        if recipe.compile:
            generator.compile()
            discriminator.compile()
        self.optimizers = {
            "generator": torch.optim.Adam(generator.parameters(), recipe.generator_lr, recipe.betas),
            "discriminator": torch.optim.Adam(
                [p for p in discriminator.parameters() if p.requires_grad],
                recipe.discriminator_lr,
                recipe.betas,
            ),
        }

    def step(self, batches: list[Batch], progress: float) -> Losses:
        """Each batch teaches the discriminator; the conditions of the last teach the generator."""
        self._burn_in(progress)
        numbers: Losses = {}
        for batch in batches:
            numbers["discriminator"] = self._descend("discriminator", self.discriminator_loss, batch)
        if not self.alone:
            with still(self.discriminator):
                numbers["generator"] = self._descend("generator", self.generator_loss, batches[-1])
        return numbers if self.recipe.adaptive is None else {**numbers, "augment": self.augment.strength}

    def _burn_in(self, progress: float) -> None:
        """R3GAN's course: cosines from no augmentation to all of it, of penalties from ten times to once."""
        recipe = self.recipe
        rise = 1.0
        if progress < recipe.burn_in:
            rise = 0.5 - 0.5 * math.cos(math.pi * progress / recipe.burn_in)
        self.pressure = 10.0 - 9.0 * rise
        if recipe.adaptive is None:
            self.augment.strength.fill_(recipe.augment_share * rise)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Real and generated images of one condition each, seen through one augmentation."""
        recipe = self.recipe
        with torch.no_grad(), autocast(recipe, batch):
            fake = self.generator(noise(batch, self.generator.latent_dim), batch.condition).float()
        seen = self.augment(torch.cat([batch.real, fake]))
        # A penalty is a derivative of derivatives, for which eight bits are too few.
        with torch.autocast(seen.device.type, enabled=False) if recipe.penalised else autocast(recipe, batch):
            seen_real, seen_fake = (x.requires_grad_(recipe.penalised) for x in seen.chunk(2))
            real, fake_logits = self._judged(seen_real, seen_fake, batch.condition)
            loss = self.loss.discriminator(real, fake_logits)
            if recipe.r1:
                loss = loss + 0.5 * self.pressure * recipe.r1 * zero_centred(real, seen_real)
            if recipe.r2:
                loss = loss + 0.5 * self.pressure * recipe.r2 * zero_centred(fake_logits, seen_fake)
            if recipe.gradient_penalty:
                penalty = one_centred(self.discriminator, seen_real, seen_fake, batch.condition)
                loss = loss + recipe.gradient_penalty * penalty
            if recipe.consistency:
                plain = torch.cat(self._judged(batch.real, fake, batch.condition))
                loss = loss + recipe.consistency * F.mse_loss(torch.cat([real, fake_logits]), plain)
        # Where logits mean something only beside each other, so does being sure.
        self.augment.adapt(real - fake_logits if self.loss.paired else real)
        return loss

    def _judged(self, real: Tensor, fake: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of both, in one pass unless batch statistics would tell them apart."""
        if self.discriminator.uses_batch_statistics:
            return self.discriminator(real, condition), self.discriminator(fake, condition)
        logits = self.discriminator(torch.cat([real, fake]), torch.cat([condition, condition]))
        return logits[: len(real)], logits[len(real) :]

    def generator_loss(self, batch: Batch) -> Tensor:
        """New images of the batch's conditions; against its real ones where the loss is of pairs."""
        with autocast(self.recipe, batch):
            fake = self.generator(noise(batch, self.generator.latent_dim), batch.condition)
            logits = self.discriminator(self.augment(fake), batch.condition)
            real = logits.detach()
            if self.loss.paired:
                with torch.no_grad():
                    real = self.discriminator(self.augment(batch.real), batch.condition)
            return self.loss.generator(real, logits)

    def _descend(self, network: str, loss: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
        parts = batch.split(self.recipe.accumulate)
        return descend(self.optimizers[network], map(loss, parts), len(parts), self.recipe.clip)
