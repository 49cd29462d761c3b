"""A product that was cut out of a photograph, in the frame of the pictures that are made of it."""

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.photographs.masks import Pixels, Plane, bounding_box
from prodgen.photographs.recolour import Recolouring
from prodgen.photographs.scenes import has_shadow, light_kept, place
from prodgen.spec.colour import levels, to_lab
from prodgen.spec.finish import Frame

K, T = TypeVar("K"), TypeVar("T")

_COLOURS, _SCENES = 16, 4
"""Colours and scenes of a product that stay in memory."""


class Product:
    """One product in the frame of its pictures.

    ``rgb`` (H, W, 3) has the product's colours, also at its edge. ``matte`` and ``region`` (H, W) are in
    [0, 1]: how much each pixel belongs to the product, and to the part of it that changes its colour.

    The product is brought to the frame's size once. Its colours, and what each scene shows beside it, are
    kept as bytes, so that a picture of a known colour in a known scene costs only a sum of bytes.
    """

    def __init__(self, rgb: Pixels, matte: Plane, region: Plane, frame: Frame) -> None:
        planes = torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255
        both = torch.stack([planes, torch.from_numpy(region).expand(3, -1, -1)])
        layers, self.scale = place(both, torch.from_numpy(matte), frame)
        self._alpha = layers[0, 3:]
        top, left, bottom, right = bounding_box(self._alpha[0].numpy() > 0)
        self._box = slice(top, bottom), slice(left, right)
        self._own, self._region = layers[0, :3, *self._box], layers[1, 0, *self._box]
        self._cover = self._alpha[:, *self._box]
        self._colours: OrderedDict[str | None, Pixels] = OrderedDict()
        self._scenes: OrderedDict[str, tuple[Pixels, Pixels]] = OrderedDict()

    def picture(self, colour: str | None, scene: str, ground: Tensor) -> Pixels:
        """Return the product in a colour (None for its own) on a ground: (height, width, 3).

        ``ground``: the ground of the scene, (3, height, width) in [0, 1].
        """
        frame, visible = _kept(self._scenes, scene, _SCENES, lambda: self._visible(scene, ground))
        layer = _kept(self._colours, colour, _COLOURS, lambda: self._layer(colour))
        picture = frame.copy()
        picture[self._box] = cv2.add(layer, visible)
        return picture

    def _visible(self, scene: str, ground: Tensor) -> tuple[Pixels, Pixels]:
        """Return the scene without the product as bytes, and what the product's box shows of the ground."""
        behind = ground * self._light if has_shadow(scene) else ground
        return to_pixels(behind), to_pixels(behind[:, *self._box] * (1 - self._cover))

    @cached_property
    def _light(self) -> Tensor:
        """The share of light that the product's shadow leaves on the ground, (1, height, width)."""
        return light_kept(self._alpha[None])[0]

    @cached_property
    def _recolouring(self) -> Recolouring:
        cover = self._cover.clamp(min=1e-3)
        return Recolouring(_bytes(self._own / cover), (self._region / cover[0]).clamp(0, 1))

    def _layer(self, colour: str | None) -> Pixels:
        """Return the product's box in a colour, premultiplied bytes (H, W, 3)."""
        if colour is None:
            return to_pixels(self._own)
        target = torch.from_numpy(to_lab(np.array([levels(colour)], np.uint8))).float()
        return to_pixels(self._recolouring(target)[0] * self._cover)


def _kept(cache: OrderedDict[K, T], key: K, most: int, make: Callable[[], T]) -> T:
    """Return the cached value of ``key``, made if it is not there; the cache holds the ``most`` used last."""
    if key not in cache:
        cache[key] = make()
        if len(cache) > most:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]


def to_pixels(x: Tensor) -> Pixels:
    """Return a picture (3, H, W) in [0, 1] as bytes (H, W, 3)."""
    pixels: Pixels = _bytes(x).permute(1, 2, 0).contiguous().numpy()
    return pixels


def _bytes(x: Tensor) -> Tensor:
    return x.mul(255).round_().clamp_(0, 255).to(torch.uint8)
