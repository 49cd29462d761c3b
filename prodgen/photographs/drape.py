"""Show a product in another material: lay the material over the main region, in the photograph's light."""

from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.photographs.masks import Plane
from prodgen.photographs.cloth import Coordinates, coordinates
from prodgen.photographs.materials import Material
from prodgen.photographs.recolour import Recolouring, Tones, lab_of

_FOLD, _BENDING_FOLD, _WIDE = 0.008, 0.02, 0.06
"""Blurs, as shares of the product's longer side, with which three things are found: the folds that show on a
material, the folds that bend a material, and the light around a fold."""
_DARK_WIDE = 0.1  # least light around a fold: below it, noise would count as folds
_LIGHTEST, _DARKEST, _MIDDLE = "#e6e2da", "#1f2a44", 68.0
"""Second colours of patterns: the light colour below this lightness of the product, else the dark colour."""
_SHADE, _SHADOW, _SHINE = 0.5, 0.3, 1.08
"""The photograph's light is limited to these bounds and raised to the first number; the second colour is
multiplied by the result. Recolouring alone shows few folds of a dark product in a light colour."""
_FULL_FOLD = 0.25  # a fold that is lighter than its surroundings by this share gets the full wear or gloss
_SMOOTH = 0.004  # blur that takes off the photographed cloth's texture, as a share of the longer side
_SOFT = 0.35  # blur of a material for each pixel that a pixel of the photograph is enlarged to


class Drape:
    """Lays materials over the main region of a product. Values that all materials share are computed once.

    ``tones`` has the product in each colour. ``region`` and ``cover`` (H, W): how much each pixel belongs to
    the region and to the product. ``scale``: how much the photograph was enlarged.
    """

    def __init__(self, tones: Tones, region: Tensor, cover: Tensor, scale: float) -> None:
        self._coloured, self._lightness = tones.coloured, tones.lightness
        self._region, self._cover, self._blur = region, cover, _SOFT * scale

    def __call__(self, material: Material, colour: str | None) -> Tensor:
        """Return the product (3, H, W) made of a material, in a colour.

        The colour None means the material's first colour, or the product's own if the material has no colour.
        """
        if material.rgb is not None:
            return self._printed(material, colour)
        first = colour or material.first
        shown = self._coloured(first)
        if material.smooth:
            soft = torch.from_numpy(self._blurred(shown.permute(1, 2, 0).numpy(), _SMOOTH)).permute(2, 0, 1)
            shown = torch.lerp(shown, soft, material.smooth * self._region)
        if material.share is not None:
            second = material.second or (_LIGHTEST if self._lightness(first) < _MIDDLE else _DARKEST)
            share = (self._laid(material.share, material) + material.worn * self._raised).clamp(0, 1)
            shown = torch.lerp(shown, self._coloured(second) * self._shade, share)
        if material.light is not None:
            shine = material.gloss * self._raised.clamp(min=0) ** 1.5
            lit = (shown + shine) * self._laid(material.light, material)
            shown = torch.lerp(shown, lit, self._region)
        return shown.clamp(0, 1)

    def _printed(self, material: Material, colour: str | None) -> Tensor:
        """Return the product (3, H, W) with the material's picture on it.

        If ``colour`` is given, the picture is first recoloured, so that its mean is this colour.
        """
        tile = torch.from_numpy(np.ascontiguousarray(material.rgb)).permute(2, 0, 1)
        if colour:
            tile = Recolouring(tile.mul(255).round().byte(), torch.ones(tile.shape[1:]))(lab_of(colour))[0]
        mean = tile.mean((1, 2))
        mean_colour = "#" + bytes(mean.mul(255).round().byte().tolist()).hex()
        light = _lightness(self._coloured(mean_colour)) / _lightness(mean[:, None, None]).clamp(min=0.02)
        shown = self._laid(tile.permute(1, 2, 0).numpy(), material).permute(2, 0, 1) * light
        return torch.lerp(self._coloured(None), shown.clamp(0, 1), self._region)

    @cached_property
    def _light(self) -> Plane:
        """The product's light in [0, 1], (H, W)."""
        light: Plane = _lightness(self._coloured(None)).numpy()
        return light

    @cached_property
    def _shade(self) -> Tensor:
        """The light on the region, (H, W), as a factor: about 1 on average, and 1 outside the region."""
        weight = self._region.numpy()
        mean = float((self._light * weight).sum() / max(float(weight.sum()), 1e-6))
        light = torch.from_numpy(self._blurred(self._light, _FOLD)) / max(mean, 1e-3)
        return 1 + (light.clamp(_SHADOW, _SHINE) ** _SHADE - 1) * self._region

    @cached_property
    def _raised(self) -> Tensor:
        """How much each pixel (H, W) of a fold turns to the light: from -1 (away from the light) to 1."""
        return torch.from_numpy(self._folds(_FOLD) / _FULL_FOLD).clamp(-1, 1)

    @cached_property
    def _coordinates(self) -> Coordinates:
        return coordinates(self._cover.numpy(), self._folds(_BENDING_FOLD))

    def _folds(self, blur: float) -> Plane:
        """Return how much lighter each pixel (H, W) is than the region around it, as a share."""
        wide, narrow = (self._blurred(self._light, one) for one in (_WIDE, blur))
        folds: Plane = (narrow - wide) / np.maximum(wide, _DARK_WIDE) * self._region.numpy()
        return folds

    def _blurred(self, image: Plane, blur: float) -> Plane:
        """Return a blurred image, (H, W) or (H, W, 3), to which pixels outside the region add nothing.

        ``blur`` is a share of the product's longer side.
        """
        sigma, weight = blur * max(self._cover.shape), self._region.numpy()
        shaped = weight if image.ndim == 2 else weight[..., None]
        total = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)
        sums = cv2.GaussianBlur(image * shaped, (0, 0), sigma)
        return (sums / (total if image.ndim == 2 else total[..., None])).astype(np.float32)

    def _laid(self, plane: Plane, material: Material) -> Tensor:
        """Repeat a plane of a material over the product, (H, W), or (H, W, 3) for a picture."""
        side = max(self._cover.shape)
        height = max(2, round(material.repeat * side))
        width = max(2, round(height * plane.shape[1] / plane.shape[0]))
        sampling = cv2.INTER_AREA if height < plane.shape[0] else cv2.INTER_CUBIC
        tile = cv2.resize(plane, (width, height), interpolation=sampling)
        x, y = self._coordinates * np.float32(side)
        # cv2.remap takes coordinates up to 32,767, so they are wrapped before the edges are.
        laid = cv2.remap(tile, x % width, y % height, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return torch.from_numpy(cv2.GaussianBlur(laid, (0, 0), max(self._blur, 0.1)))


def _lightness(rgb: Tensor) -> Tensor:
    """Return how light each pixel is, (H, W), from sRGB (3, H, W). Both are in [0, 1]."""
    return (rgb * torch.tensor((0.299, 0.587, 0.114))[:, None, None]).sum(0)
