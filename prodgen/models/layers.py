"""Layers that several model families share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


def constraint(spectral: bool) -> Callable[[nn.Module], nn.Module]:
    """Return a wrapper for a discriminator's layers: spectral norm (Miyato et al. 2018) or the identity."""
    return spectral_norm if spectral else lambda layer: layer


class Conditioned(nn.Linear):
    """A linear layer whose last inputs are the condition: (B, inputs + condition_dim) -> (B, outputs).

    `transfer_weights` finds layers by this class: their weights depend on the attributes of the model.
    """

    def __init__(self, inputs: int, condition_dim: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs + condition_dim, outputs, bias)

    def reset_parameters(self) -> None:
        """Initialise the weights. The layer may have no inputs, if the model has no attributes."""
        if self.in_features:
            super().reset_parameters()
        elif self.bias is not None:
            nn.init.zeros_(self.bias)


class ConditionalBatchNorm(nn.Module):
    """Normalise x (B, C, H, W) by batch; gain and bias are linear functions of the condition (B, D).

    From de Vries et al. (2017). Evaluation mode uses the running statistics, so an image does not depend on
    the rest of its batch.
    """

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = Conditioned(0, condition_dim, channels)
        self.bias = Conditioned(0, condition_dim, channels, bias=False)
        nn.init.zeros_(self.gain.weight)
        nn.init.ones_(self.gain.bias)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        gain, bias = self.gain(condition), self.bias(condition)
        return torch.addcmul(bias[:, :, None, None], self.norm(x), gain[:, :, None, None])


class UpBlock(nn.Module):
    """A generator's residual block: (B, in, H, W) -> (B, out, sH, sW); s is 1 without ``up``, else 2.

    ``up`` is the mode of torch's ``interpolate``, such as "nearest". The first convolution comes before the
    upsampling, where it costs a quarter as much as after it.
    """

    def __init__(self, inputs: int, outputs: int, condition_dim: int, *, up: str | None) -> None:
        super().__init__()
        self.up = up
        self.norm1 = ConditionalBatchNorm(inputs, condition_dim)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = ConditionalBatchNorm(outputs, condition_dim)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.conv1(F.relu(self.norm1(x, condition)))
        h = F.relu(self.norm2(h, condition))
        x = self.shortcut(x)
        if self.up:
            h = F.interpolate(h, scale_factor=2, mode=self.up)
            x = F.interpolate(x, scale_factor=2, mode=self.up)
        return x + self.conv2(h)


class DownBlock(nn.Module):
    """A discriminator's residual block: (B, in, H, W) -> (B, out, H/s, W/s); s is 2 if ``down``, else 1.

    ``first``: leave out the first activation, which would discard the sign of the pixels. ``spectral``: apply
    spectral norm (Miyato et al. 2018) to all weights.
    """

    def __init__(
        self, inputs: int, outputs: int, *, down: bool, first: bool = False, spectral: bool = True
    ) -> None:
        super().__init__()
        constrain = constraint(spectral)
        self.down, self.first = down, first
        self.conv1 = constrain(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = constrain(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shortcut = nn.Identity() if inputs == outputs else constrain(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(x if self.first else F.relu(x))
        h = self.conv2(F.relu(h))
        if self.down:
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        return h + self.shortcut(x)


class SelfAttention(nn.Module):
    """Self-attention over all positions of x (B, C, H, W); the result has the same shape (Zhang et al. 2019).

    A learned gain, which starts at zero, scales the attention, so the network learns local structure first.
    The layer accepts a condition, as the generator's other blocks do, and ignores it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.out = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        query = self.query(x).flatten(2).transpose(1, 2)
        key, value = (F.max_pool2d(part(x), 2).flatten(2).transpose(1, 2) for part in (self.key, self.value))
        attended = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        return x + self.gain * self.out(attended.transpose(1, 2).unflatten(2, x.shape[2:]))
