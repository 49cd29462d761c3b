"""An exponential moving average of a generator's weights, which makes better images than the last weights."""

import copy

import torch
from torch import Tensor, nn


class Ema:
    """Exponential moving average of weights (Yazıcı et al. 2019). ``model``: the average, in evaluation mode.

    ``warm_start``: whether training starts from pretrained weights. If so, the average keeps them longer.
    """

    def __init__(self, model: nn.Module, decay: float, *, warm_start: bool) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.decay, self.warm_start = decay, warm_start

    @torch.no_grad()
    def update(self, source: nn.Module, step: int) -> None:
        """Add the weights of ``source`` after ``step`` (from 0) to the average.

        Without a warm start the decay rises from 0.1, so that the average forgets the random first weights.
        """
        decay = self.decay if self.warm_start else min(self.decay, (1 + step) / (10 + step))
        averages, weights = list(self.model.parameters()), list(source.parameters())
        torch._foreach_lerp_(averages, weights, 1.0 - decay)
        # Buffers are copied: spectral norm's change slowly, `update_batch_norm` measures the others anew.
        for average, buffer in zip(self.model.buffers(), source.buffers(), strict=True):
            average.copy_(buffer)

    @torch.no_grad()
    def update_batch_norm(self, latents: Tensor, conditions: Tensor, batch: int = 100) -> None:
        """Measure the batch normalisation statistics of the averaged weights.

        The statistics of the last weights do not fit the averaged weights.

        latents: (N, latent_dim); conditions: (N, D); ``batch``: number of images at a time.
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
