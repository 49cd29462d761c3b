"""A product that was cut out of a photograph, in the frame of the pictures that are made of it."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.photographs.masks import bounding_box, decontaminate
from prodgen.catalog.picture_files import Photograph
from prodgen.photographs.learnt import Learnt
from prodgen.photographs.recolour import recolour
from prodgen.photographs.scenes import light_kept, place
from prodgen.spec.colour import levels, to_lab

KEPT = 16
"""Colours of a product that stay in memory."""


class Product:
    """One product in a frame of ``height`` and ``width`` pixels, of which it fills the share ``fill``.

    The product is brought to the frame's size once. Colours are changed there and kept as bytes, so that
    further scenes cost only the composition.
    """

    def __init__(self, photograph: Photograph, learnt: Learnt, height: int, width: int, fill: float) -> None:
        matte = learnt.matte.astype(np.float32) / np.float32(255)
        rgb = photograph.rgb if photograph.alpha is not None else decontaminate(photograph.rgb, matte)
        planes = torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255
        region = torch.from_numpy(learnt.region / np.float32(255)).expand(3, -1, -1)
        layers, self.scale = place(
            torch.stack([planes, region]), torch.from_numpy(matte), height, width, fill
        )
        self._layer, self._region = layers[0], layers[1, 0]
        self._colours: dict[str, Tensor] = {}

    @property
    def alpha(self) -> Tensor:
        """The product's coverage, (1, height, width) in [0, 1]."""
        return self._layer[3:]

    @cached_property
    def light(self) -> Tensor:
        """The share of light that the product's shadow leaves on the ground, (1, height, width)."""
        return light_kept(self.alpha[None])[0]

    def layer(self, colour: str | None) -> Tensor:
        """Return the premultiplied product, (3, height, width) in [0, 1].

        ``colour`` is #rrggbb, or None for the product's own colours.
        """
        if colour is None:
            return self._layer[:3]
        if colour not in self._colours:
            while len(self._colours) >= KEPT:
                self._colours.pop(next(iter(self._colours)))
            self._colours[colour] = self._recoloured(colour)
        return self._colours[colour] / 255

    def _recoloured(self, colour: str) -> Tensor:
        """Return the product in another colour, premultiplied bytes (3, height, width)."""
        top, left, bottom, right = bounding_box(self.alpha[0].numpy() > 0)
        box = slice(top, bottom), slice(left, right)
        cover = self.alpha[:, *box]
        rgb = _bytes(self._layer[:3, *box] / cover.clamp(min=1e-3))
        region = (self._region[*box] / cover[0].clamp(min=1e-3)).clamp(0, 1)
        target = torch.from_numpy(to_lab(np.array([levels(colour)], np.uint8))).float()
        frame = torch.zeros_like(self._layer[:3], dtype=torch.uint8)
        frame[:, *box] = _bytes(recolour(rgb, region, target)[0] * cover)
        return frame


def _bytes(x: Tensor) -> Tensor:
    return x.mul(255).round_().clamp_(0, 255).to(torch.uint8)
