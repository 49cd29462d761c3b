"""Batch normalisation by the whole batch, of which each process has a part."""

import torch
from torch import Tensor, nn

from prodgen.training.exchange import mean
from prodgen.training.world import size


class WorldBatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d, but in training the statistics are those of all processes' images, on any device.

    Each must have as many. nn.SyncBatchNorm does it on GPUs alone.
    """

    @torch.compiler.disable  # no graph crosses a message
    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        if not self.training or size() == 1:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return self._normalised(x.float()).to(x.dtype)

    def _normalised(self, x: Tensor) -> Tensor:
        centre = x.mean((0, 2, 3))  # two passes: torch.var_mean takes several times as long
        variance = (x - _channels(centre)).square().mean((0, 2, 3))
        # In float64, in which a difference of squares loses nothing that counts.
        variance, centre = variance.double(), centre.double()
        centre, square = mean(torch.stack([centre, variance + centre.square()]))
        variance = (square - centre.square()).clamp(min=0.0)
        self._remember(centre.detach(), variance.detach(), size() * x.numel() // x.shape[1])
        scale = torch.rsqrt(variance + self.eps).float()
        scale = scale if self.weight is None else scale * self.weight
        shift = -centre.float() * scale
        shift = shift if self.bias is None else shift + self.bias
        return torch.addcmul(_channels(shift), x, _channels(scale))

    @torch.no_grad()
    def _remember(self, centre: Tensor, variance: Tensor, count: int) -> None:
        """The running statistics, as nn.BatchNorm2d keeps them: of the variance, without bias."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(centre.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), self.momentum)


def span_the_world(module: nn.Module) -> None:
    """Make all batch normalisation within ``module`` the world's; its parameters stay the same objects."""
    if size() == 1:
        return
    for inner in module.modules():
        if type(inner) is nn.BatchNorm2d:
            inner.__class__ = WorldBatchNorm2d


def _channels(numbers: Tensor) -> Tensor:
    """(C,) -> what broadcasts over (B, C, H, W)."""
    return numbers[:, None, None]
