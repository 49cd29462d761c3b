"""The average of a generator's weights over its recent steps, which makes better pictures than the last."""

import copy

import torch
from torch import Tensor, nn


class Ema:
    """Exponential moving average (Yazıcı et al. 2019); ``model`` is the averaged copy.

    ``trained``: whether the model has learnt already, so that its first weights are worth keeping.
    """

    def __init__(self, model: nn.Module, decay: float, *, trained: bool) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.decay, self.trained = decay, trained

    @torch.no_grad()
    def update(self, source: nn.Module, step: int) -> None:
        """Take in the weights after ``step`` (from 0).

        Early ones count for more, or what was random would linger.
        """
        decay = self.decay if self.trained else min(self.decay, (1 + step) / (10 + step))
        averaged, fresh = list(self.model.parameters()), list(source.parameters())
        torch._foreach_lerp_(averaged, fresh, 1.0 - decay)
        # The vectors of spectral norm are those of weights close by; batch statistics are for `settle`.
        for own, other in zip(self.model.buffers(), source.buffers(), strict=True):
            own.copy_(other)

    @torch.no_grad()
    def settle(self, latents: Tensor, conditions: Tensor, batch: int) -> None:
        """Measure the batch statistics of the averaged weights afresh: those of the source do not fit them.

        latents: (N, latent_dim); conditions: (N, D).
        """
        norms = [m for m in self.model.modules() if isinstance(m, nn.BatchNorm2d)]
        if not norms:
            return
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        self.model.train()
        for z, c in zip(latents.split(batch), conditions.split(batch), strict=True):
            self.model(z, c)
        self.model.eval()
