"""Batch normalisation by the whole batch, of which each process has a part."""

from typing import Any

import torch
from torch import Tensor, nn

from prodgen.training.distributed.exchange import mean
from prodgen.training.distributed.world import size


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
            normal, centre, variance = _Normalise.apply(x.float() if x.dtype.itemsize < 4 else x, self.eps)
            self._remember(centre, variance, size() * x.numel() // x.shape[1])
            if self.weight is not None:
                normal = torch.addcmul(_channels(self.bias), normal, _channels(self.weight))
            return normal.to(x.dtype)

    @torch.no_grad()
    def _remember(self, centre: Tensor, variance: Tensor, count: int) -> None:
        """The running statistics, as nn.BatchNorm2d keeps them: of the variance, without bias."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(centre.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), self.momentum)


class _Normalise(torch.autograd.Function):
    """(B, C, H, W) -> the same, with mean 0 and deviation 1 in each channel, and the mean and variance (C,).

    torch's own kernels do the work of each process, and its gradient as if there were no other; what the
    others make of it is the same for all pixels of a channel, but for a factor (Ioffe & Szegedy 2015).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        _, centre, scale = torch.native_batch_norm(x, None, None, None, None, True, 0.0, eps)
        centre, variance = _of_all(centre.double(), scale.double().pow(-2) - eps)
        own, scale = centre.to(x.dtype), torch.rsqrt(variance + eps).to(x.dtype)
        normal = torch.native_batch_norm(x, None, None, own, variance.to(x.dtype), False, 0.0, eps)[0]
        ctx.save_for_backward(x, own, scale)
        ctx.eps = eps
        ctx.mark_non_differentiable(centre, variance)
        return normal, centre, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        x, centre, scale = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient's own gradient is asked for, as by a penalty
            return torch.autograd.grad(_plainly(x, ctx.eps), x, gradient, create_graph=True)[0], None
        alone, sloped, level = torch.ops.aten.native_batch_norm_backward(
            gradient, x, torch.ones_like(scale), None, None, centre, scale, True, ctx.eps, [True] * 3
        )
        sums = torch.stack([sloped, level])
        sloped, level = (sums - mean(sums)) * (x.shape[1] / x.numel())
        factor = scale.square() * sloped
        shift = scale * level - centre * factor
        return alone.add_(_channels(shift)).addcmul_(x, _channels(factor)), None


def _plainly(x: Tensor, eps: float) -> Tensor:
    """`_Normalise`, by operations that can be differentiated again and again."""
    centre = x.mean((0, 2, 3))
    variance = (x - _channels(centre)).square().mean((0, 2, 3))
    centre, variance = _of_all(centre.double(), variance.double())
    return (x - _channels(centre.to(x.dtype))) * _channels(torch.rsqrt(variance + eps).to(x.dtype))


def _of_all(centre: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and variance of all processes' images; in float64 a difference of squares loses nothing."""
    centre, square = mean(torch.stack([centre, variance + centre.square()]))
    return centre, (square - centre.square()).clamp(min=0.0)


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
