"""Split a generated picture into the product and its coverage (alpha).

The model was trained on products before a plain ground, so the product is keyed by its difference from that
colour. Products are premultiplied: their colour is multiplied by their coverage.
"""

import torch
from kornia.morphology import closing, dilation, erosion
from torch import Tensor
from torch.nn.functional import pad

_GROUND, _PRODUCT = 0.04, 0.12
"""A difference up to the first is certainly ground; one above the second is certainly product."""
_LEAST_EDGE = 0.25
"""The least difference from the ground that a fully covered pixel at an edge is assumed to have."""


def opaque(x: Tensor) -> Tensor:
    """Return ``x`` (B, C, H, W) in [0, 1] with full coverage: (B, C + 1, H, W).

    A picture of four channels is premultiplied already, and keeps its own coverage.
    """
    return clamp_to_coverage(x) if x.shape[1] == 4 else torch.cat([x, torch.ones_like(x[:, :1])], 1)


def cut_out(x: Tensor, ground: Tensor) -> Tensor:
    """Cut the product out of ``x`` (B, C, H, W) in [0, 1], before the colour ``ground``: (B, C + 1, H, W).

    The coverage is 1 inside the product, whose dark seams are closed first. A pixel at the edge mixes ground
    and product, so its coverage is its difference from the ground as a share of the greatest difference
    beside it. No step is a threshold: a difference of one level in ``x`` stays small in the result.
    """
    if x.shape[1] == 4:
        return opaque(x)
    difference = (x - ground).abs().amax(1, keepdim=True)
    around = torch.ones(3, 3, device=x.device)
    solid = ((difference - _GROUND) / (_PRODUCT - _GROUND)).clamp(0, 1)
    filled = closing(pad(solid, (1, 1, 1, 1)), around)[..., 1:-1, 1:-1]
    inside = erosion(filled, around)
    clear = (difference - _GROUND).clamp(min=0)
    edge = clear / dilation(clear, around).clamp(min=_LEAST_EDGE)
    alpha = torch.maximum(inside, edge)
    return _clamped(x - (1.0 - alpha) * ground, alpha)


def clamp_to_coverage(layers: Tensor) -> Tensor:
    """Clamp coverage to [0, 1] and colour to [0, coverage] in ``layers`` (B, C + 1, H, W)."""
    return _clamped(layers[:, :-1], layers[:, -1:])


def _clamped(product: Tensor, alpha: Tensor) -> Tensor:
    alpha = alpha.clamp(0, 1)
    return torch.cat([torch.minimum(product.clamp(min=0), alpha), alpha], 1)
