"""Give products another mean colour: in training, and where an order asks for the exact colour."""

from collections.abc import Sequence

import numpy as np
import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from torch import Tensor

from prodgen.spec.attributes import AttributeSchema, ContinuousColour
from prodgen.spec.colour import levels, to_lab
from prodgen.spec.order import ImageRequest

MIN_ALPHA = 0.05
"""Alpha below which a premultiplied colour is too faint to be recovered."""


def asked_colours(schema: AttributeSchema, images: Sequence[ImageRequest]) -> Tensor:
    """Return the CIELAB colour (B, 3) that each image should have by the schema's colour attribute."""
    name = next(a.name for a in schema.attributes if isinstance(a, ContinuousColour))

    def lab(colours: Sequence[str]) -> Tensor:
        return torch.from_numpy(to_lab(np.array([levels(colour) for colour in colours], np.uint8))).float()

    own = [image.attributes[name] for image in images]
    mixes = [(i.mix.attributes.get(name, i.attributes[name]), i.mix.share) if i.mix else None for i in images]
    other = [mix[0] if mix else colour for mix, colour in zip(mixes, own, strict=True)]
    shares = torch.tensor([mix[1] if mix else 0.0 for mix in mixes])
    return lab(own).lerp(lab(other), shares[:, None])


def unpremultiply(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return colours (B, 3, H, W) and alpha (B, 1, H, W) of premultiplied images (B, 4, H, W) in [0, 1]."""
    alpha = x[:, 3:]
    return (x[:, :3] / alpha.clamp(min=MIN_ALPHA)).clamp(0.0, 1.0), alpha


def recolour(x: Tensor, lab: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Change the mean colours of the ``chosen`` images (B,) to ``lab`` (B, 3), colours in CIELAB.

    x: images (B, 4, H, W), premultiplied, in [-1, 1]. Returns all images and the new mean colours (B, 3).
    These may differ from ``lab``, because colours that a screen cannot show are clipped.
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
