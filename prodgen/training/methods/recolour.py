"""Recolour products in training images, so that a model learns shape and colour independently.

Each photograph shows a product in one colour, so a model might learn that trousers are blue. `recolour`
shifts a product's colours in CIELAB, which keeps shading and pattern, and measures the new mean colour.
"""

import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from torch import Tensor

from prodgen.training.methods.augment import unpremultiply


def recolour(x: Tensor, lab: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Change the mean colours of the ``chosen`` images (B,) to ``lab`` (B, 3), colours in CIELAB.

    x: images (B, 4, H, W), premultiplied, in [-1, 1]. Returns all images and their mean colours (B, 3).
    Colours that a screen cannot show are clipped.
    """
    colour, alpha = unpremultiply((x + 1.0) / 2.0)
    before = rgb_to_lab(colour)
    shift = torch.where(chosen[:, None], lab - mean_colour(before, alpha), 0.0)
    moved = lab_to_rgb(before + shift[:, :, None, None])
    after = mean_colour(rgb_to_lab(moved), alpha)
    coloured = torch.cat([moved * alpha, alpha], 1) * 2.0 - 1.0
    return torch.where(chosen[:, None, None, None], coloured, x), after


def mean_colour(lab: Tensor, alpha: Tensor) -> Tensor:
    """Return the product's mean colour (B, 3): ``lab`` (B, 3, H, W), weighted by ``alpha`` (B, 1, H, W)."""
    return (lab * alpha).sum((2, 3)) / alpha.sum((2, 3)).clamp(min=1e-6)
