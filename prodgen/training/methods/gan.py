"""Train a GAN: each step trains the discriminator, then the generator."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from prodgen.models.base import ImageGenerator, ProjectionDiscriminator
from prodgen.training.batches import Batch
from prodgen.training.methods.augment import Augment
from prodgen.training.methods.helpers import Helpers
from prodgen.training.methods.method import Losses, autocast, draw_latents, frozen, optimizer_step
from prodgen.training.methods.objectives import LOSSES, one_centred, zero_centred
from prodgen.training.recipes.recipe import GanRecipe


class Gan:
    """Trains a generator and a discriminator. Augments the input of the discriminator."""

    def __init__(
        self, recipe: GanRecipe, generator: ImageGenerator, discriminator: ProjectionDiscriminator
    ) -> None:
        self.recipe, self.generator, self.discriminator = recipe, generator, discriminator
        discriminator.normalised = recipe.san
        augment = Augment(
            recipe.augment, generator.channels, recipe.ground, recipe.adaptive, recipe.augment_share
        )
        self.augment = augment.to(next(discriminator.parameters()).device)
        self.penalty_scale, self.discriminator_only = 1.0, False
        self.loss = LOSSES[recipe.loss]
        self.batches = recipe.discriminator_steps
        self.modules = {"generator": generator, "discriminator": discriminator, "augment": self.augment}
        self.helpers, self.helper_share = self._make_helpers(), 0.0
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
        if self.helpers:
            self.modules["helpers"] = self.helpers
            self.optimizers["helpers"] = torch.optim.Adam(
                self.helpers.parameters(), recipe.discriminator_lr, recipe.betas
            )

    def _make_helpers(self) -> Helpers | None:
        if not self.recipe.helpers:
            return None
        return Helpers(self.generator.condition_dim, next(self.generator.parameters()).device)

    def step(self, batches: list[Batch], progress: float) -> Losses:
        """Train the discriminator on each batch, then the generator on the conditions of the last batch."""
        recipe = self.recipe
        self._burn_in(progress)
        losses: Losses = {}
        for batch in batches:
            losses["discriminator"] = self._optimize("discriminator", self.discriminator_loss, batch)
        self.helper_share = max(0.0, progress - recipe.helper_start) / (1.0 - recipe.helper_start)
        if self.helpers and self.helper_share:
            losses["helpers"] = self._optimize(
                "helpers", partial(self.helper_loss, self.helpers), batches[-1]
            )
        if not self.discriminator_only:
            with frozen(self.discriminator):
                losses["generator"] = self._optimize("generator", self.generator_loss, batches[-1])
        return losses if recipe.adaptive is None else {**losses, "augment": self.augment.strength}

    def _burn_in(self, progress: float) -> None:
        """Set the augmentation's strength and the scale of the penalties. ``progress``: share of steps done.

        During burn-in the strength rises from 0 and the scale falls from 10 to 1, both along a cosine, as in
        R3GAN (Huang et al. 2024).
        """
        recipe = self.recipe
        rise = 1.0
        if progress < recipe.burn_in:
            rise = 0.5 - 0.5 * math.cos(math.pi * progress / recipe.burn_in)
        self.penalty_scale = 10.0 - 9.0 * rise
        if recipe.adaptive is None:
            self.augment.strength.fill_(recipe.augment_share * rise)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """Return the discriminator's loss, with penalties.

        The loss compares the real images of ``batch`` with equally many generated images with the same
        conditions.
        """
        recipe = self.recipe
        with torch.no_grad(), autocast(recipe, batch):
            fake = self.generator(draw_latents(batch, self.generator.latent_dim), batch.condition).float()
        seen = self.augment(torch.cat([batch.real, fake]))
        # The second derivatives of a penalty need more than bf16's eight bits.
        with (
            torch.autocast(seen.device.type, enabled=False) if recipe.has_penalty else autocast(recipe, batch)
        ):
            seen_real, seen_fake = (x.requires_grad_(recipe.has_penalty) for x in seen.chunk(2))
            real, fake_logits = self._logits(seen_real, seen_fake, batch.condition, apart=recipe.san)
            slice_loss: Tensor | float = 0.0
            if recipe.san:
                (real, real_slice), (fake_logits, fake_slice) = real, fake_logits
                slice_loss = fake_slice.mean() - real_slice.mean()
            loss = self.loss.discriminator(real, fake_logits) + slice_loss
            if recipe.r1:
                loss = loss + 0.5 * self.penalty_scale * recipe.r1 * zero_centred(real, seen_real)
            if recipe.r2:
                loss = loss + 0.5 * self.penalty_scale * recipe.r2 * zero_centred(fake_logits, seen_fake)
            if recipe.gradient_penalty:
                penalty = one_centred(self.discriminator, seen_real, seen_fake, batch.condition)
                loss = loss + recipe.gradient_penalty * penalty
            if recipe.consistency:
                plain = torch.cat(self._logits(batch.real, fake, batch.condition))
                loss = loss + recipe.consistency * F.mse_loss(torch.cat([real, fake_logits]), plain)
        # In a paired loss only differences of logits have a meaning.
        self.augment.adapt(real - fake_logits if self.loss.paired else real)
        return loss

    def _logits(
        self, real: Tensor, fake: Tensor, condition: Tensor, *, apart: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the logits of real and of generated images.

        If the discriminator's body uses batch statistics, computes them in two passes. ``apart``: as in
        `ProjectionDiscriminator.forward`.
        """
        see = partial(self.discriminator, apart=apart)
        if self.discriminator.uses_batch_statistics:
            return see(real, condition), see(fake, condition)
        logits = see(torch.cat([real, fake]), torch.cat([condition, condition]))
        return logits[..., : len(real)], logits[..., len(real) :]

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the generator's loss on new images with the conditions of ``batch``."""
        with autocast(self.recipe, batch):
            fake = self.generator(draw_latents(batch, self.generator.latent_dim), batch.condition)
            seen = self.augment(fake)
            logits = self.discriminator(seen, batch.condition)
            real = logits.detach()
            if self.loss.paired:
                with torch.no_grad():
                    real = self.discriminator(self.augment(batch.real), batch.condition)
            loss = self.loss.generator(real, logits)
            if self.helpers and self.helper_share:
                weight = self.recipe.helper_weight * self.helper_share
                loss = loss + weight * self.helpers.generator_loss(seen, batch.condition)
            return loss

    def helper_loss(self, helpers: Helpers, batch: Batch) -> Tensor:
        """Return the loss of the helpers' heads on real and new generated images."""
        with autocast(self.recipe, batch):
            with torch.no_grad():
                fake = self.generator(draw_latents(batch, self.generator.latent_dim), batch.condition)
                real, fake = self.augment(torch.cat([batch.real, fake.float()])).chunk(2)
            return helpers.discriminator_loss(real, fake, batch.condition)

    def _optimize(self, network: str, loss: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
        parts = batch.split(self.recipe.accumulate)
        return optimizer_step(self.optimizers[network], map(loss, parts), len(parts), self.recipe.clip)
