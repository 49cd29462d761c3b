"""Separate the product from the background of a generated picture, and compute its coverage (alpha).

The model was trained on products in front of one plain colour, the ground. A pixel belongs to the product if
its colour differs from the ground. Products are premultiplied: colour is multiplied by coverage.
"""

import torch
from kornia.morphology import closing, dilation, erosion
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

_GROUND, _PRODUCT = 0.04, 0.12
"""A difference from the ground up to `_GROUND` is background; a difference above `_PRODUCT` is product."""
_LEAST_EDGE = 0.25
"""The least difference from the ground that is assumed for a fully covered pixel at an edge."""
_FAINT = 0.03
"""Coverage up to this value is background."""
_HAZE, _EDGE, _REACH = 0.25, 0.5, 1 / 32
"""A pixel is background if no pixel within `_REACH` (share of the side) has more coverage than `_HAZE`.

If a pixel there has the coverage `_EDGE` or more, the pixel keeps its coverage. Between these limits, it
keeps a share of its coverage.
"""


def opaque(x: Tensor) -> Tensor:
    """Append a coverage of 1 to pictures ``x`` (B, C, H, W) in [0, 1]; return (B, C + 1, H, W).

    Pictures of four channels already have coverage: returns them with the same shape, colour limited to
    coverage.
    """
    return clamp_to_coverage(x) if x.shape[1] == 4 else torch.cat([x, torch.ones_like(x[:, :1])], 1)


def cut_out(x: Tensor, ground: Tensor) -> Tensor:
    """Cut the product out of ``x`` (B, C, H, W) in [0, 1]; return product and coverage as (B, C + 1, H, W).

    ``ground``: the background colour. First, dark seams inside the product are closed; then coverage is 1
    inside the product. A pixel at the edge mixes ground and product: its coverage is its difference from the
    ground, divided by the greatest difference among its neighbours. All steps are continuous, so a difference
    of one level in ``x`` stays small in the result. Pictures of four channels keep their own coverage, as in
    `opaque`.
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


def clear_ground(layers: Tensor) -> Tensor:
    """Make the ground around the product in ``layers`` (B, C + 1, H, W) fully transparent.

    Generators leave a faint haze on the ground, and marketplaces refuse a ground that is not pure white. A
    pixel is haze if its own coverage is faint, or if no pixel near it has the coverage of an edge. The result
    is each pixel times a weight, which rises linearly from haze to product, so a difference of one level in
    ``layers`` stays small.
    """
    alpha = layers[:, -1:]
    reach = max(1, round(_REACH * layers.shape[-1]))
    near = max_pool2d(alpha, 2 * reach + 1, 1, reach)
    weight = ((near - _HAZE) / (_EDGE - _HAZE)).clamp(0, 1) * ((alpha - _FAINT) / _FAINT).clamp(0, 1)
    return layers * weight


def clamp_to_coverage(layers: Tensor) -> Tensor:
    """Clamp coverage to [0, 1] and colour to [0, coverage] in ``layers`` (B, C + 1, H, W)."""
    return _clamped(layers[:, :-1], layers[:, -1:])


def _clamped(product: Tensor, alpha: Tensor) -> Tensor:
    alpha = alpha.clamp(0, 1)
    return torch.cat([torch.minimum(product.clamp(min=0), alpha), alpha], 1)
