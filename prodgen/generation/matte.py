"""The product apart from the plain ground that it was trained on."""

import torch
from kornia.morphology import closing, dilation, erosion
from torch import Tensor
from torch.nn.functional import pad

_LOW, _HIGH = 0.04, 0.12
"""Differences from the ground that are certainly ground, and certainly product."""
_FAINT = 0.25
"""The least difference that a whole pixel of product is expected to show at an edge."""


def opaque(x: Tensor) -> Tensor:
    """(B, C, H, W) in [0, 1] -> the picture and its full coverage, (B, C + 1, H, W).

    A picture of four channels is premultiplied and has its coverage.
    """
    return (
        _premultiplied(x[:, :3], x[:, 3:])
        if x.shape[1] == 4
        else torch.cat([x, torch.ones_like(x[:, :1])], 1)
    )


def cut_out(x: Tensor, ground: Tensor) -> Tensor:
    """(B, C, H, W) in [0, 1] on a plain ground -> the product, premultiplied, and its coverage.

    Inside the product, its dark seams closed, the coverage is 1. In its rim a pixel is a mixture of ground
    and product, and the product looks as its neighbours do: the coverage is the pixel's difference from the
    ground as a share of the greatest beside it. No step is a threshold: a difference of one level in ``x``
    stays small in the result.
    """
    if x.shape[1] == 4:
        return opaque(x)
    difference = (x - ground).abs().amax(1, keepdim=True)
    around = torch.ones(3, 3, device=x.device)
    solid = ((difference - _LOW) / (_HIGH - _LOW)).clamp(0, 1)
    filled = closing(pad(solid, (1, 1, 1, 1)), around)[..., 1:-1, 1:-1]
    inside = erosion(filled, around)
    clear = (difference - _LOW).clamp(min=0)
    rim = clear / dilation(clear, around).clamp(min=_FAINT)
    alpha = torch.maximum(inside, rim)
    return _premultiplied(x - (1.0 - alpha) * ground, alpha)


def tidy(layers: Tensor) -> Tensor:
    """Coverage within [0, 1] and no colour beyond it, as after a resampling that overshoots."""
    return _premultiplied(layers[:, :-1], layers[:, -1:])


def _premultiplied(product: Tensor, alpha: Tensor) -> Tensor:
    alpha = alpha.clamp(0, 1)
    return torch.cat([torch.minimum(product.clamp(min=0), alpha), alpha], 1)
