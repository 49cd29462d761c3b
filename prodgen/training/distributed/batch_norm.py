"""Batch normalisation by the whole batch, of which each process has a shard."""

from typing import Any

import torch
from torch import Tensor, nn

from prodgen.training.distributed.collectives import world_mean
from prodgen.training.distributed.world import world_size


class SyncBatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d that trains with the statistics of all processes' images, on any device.

    Each process must have the same number of images. nn.SyncBatchNorm works on GPUs only.
    """

    @torch.compiler.disable  # a graph cannot contain a message
    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> the same shape."""
        if not self.training or world_size() == 1:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            normal, mean, variance = _Normalise.apply(x.float() if x.dtype.itemsize < 4 else x, self.eps)
            self._update_running_statistics(mean, variance, world_size() * x.numel() // x.shape[1])
            if self.weight is not None:
                normal = torch.addcmul(_per_channel(self.bias), normal, _per_channel(self.weight))
            return normal.to(x.dtype)

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update as nn.BatchNorm2d does, with the unbiased variance of ``count`` pixels."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), self.momentum)


class _Normalise(torch.autograd.Function):
    """(B, C, H, W) -> the same with mean 0 and variance 1 in each channel, and that mean and variance (C,).

    torch's own kernels compute each process's part and its gradient as if there were no other process. The
    other processes' images change that gradient, in each channel, by a factor and a shift (Ioffe & Szegedy
    2015).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        _, mean, scale = torch.native_batch_norm(x, None, None, None, None, True, 0.0, eps)
        mean, variance = _world_statistics(mean.double(), scale.double().pow(-2) - eps)
        rounded_mean, scale = mean.to(x.dtype), torch.rsqrt(variance + eps).to(x.dtype)
        normal = torch.native_batch_norm(x, None, None, rounded_mean, variance.to(x.dtype), False, 0.0, eps)[
            0
        ]
        ctx.save_for_backward(x, rounded_mean, scale)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        return normal, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        x, mean, scale = ctx.saved_tensors
        if torch.is_grad_enabled():  # a penalty needs the gradient of this gradient
            return torch.autograd.grad(_normalise(x, ctx.eps), x, gradient, create_graph=True)[0], None
        local, weight_gradient, bias_gradient = torch.ops.aten.native_batch_norm_backward(
            gradient, x, torch.ones_like(scale), None, None, mean, scale, True, ctx.eps, [True] * 3
        )
        sums = torch.stack([weight_gradient, bias_gradient])
        weight_gradient, bias_gradient = (sums - world_mean(sums)) * (x.shape[1] / x.numel())
        factor = scale.square() * weight_gradient
        shift = scale * bias_gradient - mean * factor
        return local.add_(_per_channel(shift)).addcmul_(x, _per_channel(factor)), None


def _normalise(x: Tensor, eps: float) -> Tensor:
    """Compute `_Normalise` by operations that are differentiable any number of times."""
    mean = x.mean((0, 2, 3))
    variance = (x - _per_channel(mean)).square().mean((0, 2, 3))
    mean, variance = _world_statistics(mean.double(), variance.double())
    return (x - _per_channel(mean.to(x.dtype))) * _per_channel(torch.rsqrt(variance + eps).to(x.dtype))


def _world_statistics(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Combine all processes' statistics, each (C,) in float64: the difference of squares needs the digits."""
    mean, square = world_mean(torch.stack([mean, variance + mean.square()]))
    return mean, (square - mean.square()).clamp(min=0.0)


def sync_batch_norm(module: nn.Module) -> None:
    """Turn each nn.BatchNorm2d of ``module`` into a `SyncBatchNorm2d` with the same parameter objects."""
    if world_size() == 1:
        return
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SyncBatchNorm2d


def _per_channel(values: Tensor) -> Tensor:
    """(C,) -> (C, 1, 1), to broadcast over (B, C, H, W)."""
    return values[:, None, None]
