"""Batch normalisation over a whole batch, of which each process has a shard."""

from typing import Any

import torch
from torch import Tensor, nn

from prodgen.training.distributed.collectives import world_mean
from prodgen.training.distributed.world import world_size


class SyncBatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d that normalises by the images of all processes during training, on any device.

    Each process must have the same number of images. torch's own nn.SyncBatchNorm works on GPUs only.
    """

    @torch.compiler.disable  # a compiled graph cannot send messages
    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (B, C, H, W); the result has the same shape."""
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
        """Update the running statistics as nn.BatchNorm2d does.

        ``count``: number of values per channel from which ``variance`` was computed. The running variance is
        unbiased.
        """
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), self.momentum)


class _Normalise(torch.autograd.Function):
    """Normalise (B, C, H, W) to mean 0 and variance 1 per channel.

    Also returns the means and variances (C,) before normalisation. torch's own kernels compute each process's
    part and its gradient as if there were no other process. The images of other processes change that
    gradient, in each channel, by a factor and a shift (Ioffe & Szegedy 2015).
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
    """Compute the result of `_Normalise` by operations that can be differentiated any number of times."""
    mean = x.mean((0, 2, 3))
    variance = (x - _per_channel(mean)).square().mean((0, 2, 3))
    mean, variance = _world_statistics(mean.double(), variance.double())
    return (x - _per_channel(mean.to(x.dtype))) * _per_channel(torch.rsqrt(variance + eps).to(x.dtype))


def _world_statistics(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means and variances (C,) over the images of all processes.

    Computes in float64, because a difference of squares loses digits.
    """
    mean, square = world_mean(torch.stack([mean, variance + mean.square()]))
    return mean, (square - mean.square()).clamp(min=0.0)


def sync_batch_norm(module: nn.Module) -> None:
    """Change the class of each nn.BatchNorm2d in ``module`` to `SyncBatchNorm2d`. The parameters remain."""
    if world_size() == 1:
        return
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SyncBatchNorm2d


def _per_channel(values: Tensor) -> Tensor:
    """Reshape (C,) to (C, 1, 1), which broadcasts over (B, C, H, W)."""
    return values[:, None, None]
