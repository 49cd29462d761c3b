"""A product that was cut out of a photograph, placed in the frame of its pictures."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple, Self, TypeVar

import cv2
import numpy as np
import torch
from kornia.color import rgb_to_lab
from numpy.typing import NDArray
from torch import Tensor

from prodgen.catalog.photographs.masks import Pixels, Plane, bounding_box
from prodgen.photographs.drape import Drape
from prodgen.photographs.materials import Material, material
from prodgen.photographs.recolour import Tones, lab_of
from prodgen.photographs.region import METHOD
from prodgen.photographs.scenes import GLOSS, has_shadow, place
from prodgen.photographs.shading import without_pattern
from prodgen.photographs.shadows import light_kept
from prodgen.spec.finish import Area, Frame
from prodgen.spec.photograph import ORIGINAL

K, T = TypeVar("K"), TypeVar("T")

_LOOKS, SCENES = 16, 4
"""Looks and scenes of a product that stay in memory."""
_ALIKE, _LEGIBLE, _MOST_HIDDEN = 16.0, np.array([1, 0.4, 0.4], np.float32), 0.3
"""CIELAB distance below which a colour hides a print, the weights of lightness, a and b in this
distance, and the largest share of a print that may be hidden."""
_RIM, _LEAST_PRINT = 0.03, 0.008
"""Distance of prints from the outline as a share of the longer side, and the least share of the product."""
_REFLECTION = 0.35
"""The share of a product's light that a glossy ground reflects right below it."""


class Look(NamedTuple):
    """The changes to a product. None keeps the product's own colour or material."""

    colour: str | None = None
    material: str | None = None

    @classmethod
    def of(cls, attributes: Mapping[str, str]) -> Self:
        """Return the look that attributes ask for; `ORIGINAL`, or no value, keeps the product's own."""
        asked = (attributes.get(name, ORIGINAL) for name in cls._fields)
        return cls(*(None if value == ORIGINAL else value for value in asked))


class Product:
    """One product in the frame of its pictures, or in the part ``area`` of the frame.

    ``rgb`` (H, W, 3): the product's colours; its edge has no colour of the ground. ``matte`` (H, W): the
    share of each pixel that the product covers, from 0 to 1. ``region`` (H, W): the share that belongs to
    the part of the product that gets a look. ``material`` returns the material that a look names.
    ``patterned``: whether a material covers the whole product instead of the region, and hides its pattern.
    ``method``: see `studio.METHODS`.

    The product is scaled to the frame once. The product in each look and the ground of each scene are cached
    as bytes, so that a picture of a cached look in a cached scene costs only their sum, and a reflection if
    the scene is `GLOSS`.
    """

    def __init__(
        self,
        rgb: Pixels,
        matte: Plane,
        region: Plane,
        frame: Frame,
        area: Area | None = None,
        material: Callable[[str], Material] = material,
        patterned: bool = False,
        method: int = METHOD,
    ) -> None:
        self._material, self._frame, self._patterned, self._method = material, frame, patterned, method
        area = area or frame.area
        planes = torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255
        both = torch.stack([planes, torch.from_numpy(region).expand(3, -1, -1)])
        layers, self.scale = place(both, torch.from_numpy(matte), frame, area)
        self._bottom = frame.height if area == frame.area else area[1] + area[3]
        self._alpha = layers[0, 3:]
        top, left, bottom, right = bounding_box(self._alpha[0].numpy() > 0)
        self._box = slice(top, bottom), slice(left, right)
        self._own, self._region = layers[0, :3, *self._box], layers[1, 0, *self._box]
        self._cover = self._alpha[:, *self._box]
        self._looks: OrderedDict[Look, Pixels] = OrderedDict()
        self._scenes: OrderedDict[str, tuple[Pixels, Pixels]] = OrderedDict()

    def picture(self, look: Look, scene: str, ground: Tensor) -> Pixels:
        """Return the product with a look on a ground: (height, width, 3) bytes.

        ``ground``: the ground of the scene, (3, height, width) in [0, 1].
        """
        frame, visible = kept(self._scenes, scene, SCENES, lambda: self._visible(scene, ground))
        picture = frame.copy()
        self.show(look, scene, visible, picture)
        return picture

    def show(self, look: Look, scene: str, visible: Pixels, picture: Pixels) -> None:
        """Draw the product with a look into a picture; ``visible``: the result of `visible` for the scene."""
        layer = kept(self._looks, look, _LOOKS, lambda: self._layer(look))
        picture[self._box] = cv2.add(layer, visible)
        if scene == GLOSS:
            self._reflect(layer, picture)

    def doubt(self, look: Look) -> str | None:
        """Return why a look hides a print of the product, or None; methods before 5 have no such doubt."""
        if self._method < 5 or look.colour is None or look.material:
            return None
        apart = np.linalg.norm((self._print - lab_of(look.colour).numpy()) * _LEGIBLE, axis=1)
        hidden = apart < _ALIKE
        return "a print has nearly the colour asked for" if hidden.mean() > _MOST_HIDDEN else None

    @cached_property
    def _print(self) -> NDArray[np.float32]:
        """The CIELAB colours (N, 3) of the product's prints; one far colour if the product has none.

        Trims at the outline, such as soles, are no prints.
        """
        cover = self._cover[0].numpy()
        reach = cv2.distanceTransform(np.pad(cover > 0.95, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        inner = reach > _RIM * max(cover.shape)
        found = inner & (self._weight.numpy() < 0.5)
        if found.sum() <= _LEAST_PRINT * inner.sum():
            return np.full((1, 3), 1e3, np.float32)
        lab: NDArray[np.float32] = rgb_to_lab(self._opaque[None])[0].permute(1, 2, 0).numpy()
        return lab[found]

    def _reflect(self, layer: Pixels, picture: Pixels) -> None:
        """Add the mirror image of a layer to a picture, below the product and fading downwards."""
        part = picture[self._box[0].stop : self._bottom, self._box[1]][: len(layer)]
        fade = np.linspace(_REFLECTION, 0, len(part), dtype=np.float32).reshape(-1, 1, 1)
        cover = self._cover[0].numpy()[::-1][: len(part), :, None]
        part[:] = (part * (1 - fade * cover) + fade * layer[::-1][: len(part)]).round()

    def _visible(self, scene: str, ground: Tensor) -> tuple[Pixels, Pixels]:
        """Return the scene without the product, and the ground's part of the product's box, as bytes."""
        behind = ground * self.light if has_shadow(scene) else ground
        return to_pixels(behind), self.visible(behind)

    def visible(self, behind: Tensor) -> Pixels:
        """Return what shows of a ground (3, height, width) in the product's box, as bytes (H, W, 3)."""
        return to_pixels(behind[:, *self._box] * (1 - self._cover))

    @cached_property
    def light(self) -> Tensor:
        """The share of light that the product's shadow leaves on each ground pixel, (1, height, width)."""
        return light_kept(self._alpha[None], self._frame.light_from, self._frame.pose)[0]

    @cached_property
    def _weight(self) -> Tensor:
        """How much each pixel of the box belongs to the region, (H, W)."""
        return (self._region / self._cover[0].clamp(min=1e-3)).clamp(0, 1)

    @cached_property
    def _tones(self) -> Tones:
        return Tones(self._opaque, self._weight, self._method)

    @cached_property
    def _opaque(self) -> Tensor:
        """The product's box (3, H, W), not premultiplied."""
        return (self._own / self._cover.clamp(min=1e-3)).clamp(0, 1)

    @cached_property
    def _drape(self) -> Drape:
        if not self._patterned:
            return Drape(self._tones, self._weight, self._cover[0], self.scale)
        cover = self._cover[0]
        plain = torch.from_numpy(without_pattern(to_pixels(self._opaque), cover.numpy())).permute(2, 0, 1)
        whole = (cover > 0).float()
        return Drape(Tones(plain / 255, whole), whole, cover, self.scale)

    def _layer(self, look: Look) -> Pixels:
        """Return the product's box with a look, premultiplied bytes (H, W, 3)."""
        if look == Look():
            return to_pixels(self._own)
        if look.material is None:
            return to_pixels(self._tones.coloured(look.colour) * self._cover)
        return to_pixels(self._drape(self._material(look.material), look.colour) * self._cover)


def kept(cache: OrderedDict[K, T], key: K, most: int, make: Callable[[], T]) -> T:
    """Return the value of ``key`` from the cache, or make it. The cache keeps the ``most`` used last."""
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
