"""The adversarial game: one step of each network."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from prodgen.training.objectives import hinge_discriminator, hinge_generator


@dataclass
class Game:
    """Two networks, their optimizers, and the augmentation through which the discriminator looks."""

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    augment: nn.Module
    clip: float

    def discriminator_step(self, real: Tensor, condition: Tensor, latent: Tensor) -> Tensor:
        """real: (B, C, H, W) in [-1, 1]; condition: (B, D), shared by real and fake -> the loss."""
        with torch.no_grad():
            fake = self.generator(latent, condition)
        seen = self.augment(torch.cat([real, fake]))
        logits = self.discriminator(seen, torch.cat([condition, condition]))
        loss = hinge_discriminator(*logits.chunk(2))
        self._descend(loss, self.discriminator, self.discriminator_optimizer)
        return loss.detach()

    def generator_step(self, condition: Tensor, latent: Tensor) -> Tensor:
        """condition: (B, D); latent: (B, latent_dim) -> the loss."""
        self.discriminator.requires_grad_(False)
        fake = self.augment(self.generator(latent, condition))
        loss = hinge_generator(self.discriminator(fake, condition))
        self._descend(loss, self.generator, self.generator_optimizer)
        self.discriminator.requires_grad_(True)
        return loss.detach()

    def _descend(self, loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clip_grad_norm_(network.parameters(), self.clip)
        optimizer.step()
