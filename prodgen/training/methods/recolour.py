"""Products in colours that they were not photographed in, so that a shape and its colour are learnt apart.

Where a colour is an attribute, each photograph shows one: the models would learn that trousers are blue. Here
a product is moved to another's mean colour in CIELAB, its shading and its pattern kept, and the attribute is
measured anew.
"""

import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from torch import Tensor

from prodgen.training.methods.augment import straight


def recolour(x: Tensor, lab: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """x: (B, 4, H, W) premultiplied in [-1, 1]; ``lab``: (B, 3) wanted; ``chosen``: (B,) of bools.

    -> the images, those that are chosen recoloured, and the mean colour that each then has, (B, 3).
    """
    colour, alpha = straight((x + 1.0) / 2.0)
    before = rgb_to_lab(colour)
    shift = torch.where(chosen[:, None], lab - mean_colour(before, alpha), 0.0)
    moved = lab_to_rgb(before + shift[:, :, None, None])  # cut off at what a screen can show
    after = mean_colour(rgb_to_lab(moved), alpha)
    coloured = torch.cat([moved * alpha, alpha], 1) * 2.0 - 1.0
    return torch.where(chosen[:, None, None, None], coloured, x), after


def mean_colour(lab: Tensor, alpha: Tensor) -> Tensor:
    """lab: (B, 3, H, W); alpha: (B, 1, H, W) in [0, 1] -> the product's mean colour, (B, 3)."""
    return (lab * alpha).sum((2, 3)) / alpha.sum((2, 3)).clamp(min=1e-6)
