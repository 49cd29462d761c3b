"""Change a product's main colour, but keep the product's light, folds, texture, trims and prints.

The change is made in CIELAB. Light and shadow scale a colour towards black, so the lightness of a pixel moves
with the product's mean, and its chroma is scaled by its lightness.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from kornia.color import lab_to_rgb, linear_rgb_to_rgb, rgb_to_lab, rgb_to_linear_rgb
from torch import Tensor

from prodgen.photographs.region import METHOD
from prodgen.spec.colour import levels, to_lab

_KEPT_CHROMA = 0.5  # share of the differences in chroma within a region that is kept
_GREY_CHROMA = 6.0  # chroma below which a colour counts as grey when differences in chroma are scaled
_DARKENED = 0.5
"""Exponent of the contrast if the new colour is darker. With 1, the folds of a shirt that becomes black would
vanish; with 0, the folds of a shirt that becomes dark blue would shine in a bright blue."""
_DARKEST, _BRIGHTEST = 3.0, 98.0
"""Least and largest lightness to which the shadows and highlights of a new colour are fitted."""
_LEAST_CONTRAST = 0.3
"""Least share of the photograph's contrast that is kept, so that pure white and black are not reached."""
_MAX_LIGHT = 1.4  # highlights have at most this multiple of the light that the colour asked for reflects
_MATT = 0.4  # share of the highlights' contrast that the lightest colours lose
_CORRECTIONS, _SAMPLED = 8, 4096
"""Number of corrections that bring the mean colour to the colour asked for, and of the pixels they use."""
_LUMINANCE = (0.2126, 0.7152, 0.0722)


class _Fit(NamedTuple):
    """How the contrast of light colours is set.

    ``lightest``: the largest mean lightness. ``uneven``: the largest ratio of the contrast in the shadows to
    the contrast in the highlights, or the other way round. ``deepened``: the exponent by which the shadows of
    a product that becomes lighter are deepened.
    """

    lightest: float
    uneven: float
    deepened: float


_FIT, _EARLIER_FIT = _Fit(93.0, 3.0, 0.5), _Fit(100.0, 1.8, 0.0)
"""For the newest method: white and pale colours show their folds on a white ground. For methods 1 to 4."""
_MOST_DEEPENED = 2.0  # largest factor by which shadows are deepened


class Recolouring:
    """Changes the colour of a product's region. Values that are the same for all colours are computed once.

    ``rgb``: the product, (3, H, W) bytes. ``region``: (H, W), how much each pixel belongs to the region.
    """

    def __init__(self, rgb: Tensor, region: Tensor, method: int = METHOD) -> None:
        self._fit = _FIT if method > 4 else _EARLIER_FIT
        palette, self._indices = _palette(rgb, region)
        self._own, self._region = rgb / 255, region
        self._lab = rgb_to_lab(palette[None])[0]
        self._pixels, self._weights = _sample(self._lab, self._indices, region)
        self._mean = (self._pixels * self._weights).sum((1, 2)) / self._weights.sum()
        shading = self._pixels[0] - self._mean[0]
        self._span = torch.stack([shading.quantile(0.02), shading.quantile(0.98)])

    @property
    def lightness(self) -> float:
        """The mean lightness of the region, from 0 to 100."""
        return float(self._mean[0])

    def __call__(self, target: Tensor) -> Tensor:
        """Return the product with its region in B colours: (B, 3, H, W) in [0, 1].

        ``target``: the colours, CIELAB (B, 3). The region's mean colour becomes the target, or a similar
        colour if a screen cannot show the target with the product's light and shadow.
        """
        asked = self._corrected(target)
        shifted = _shift(self._lab, self._mean, self._span, asked, self._fit)
        recoloured = shifted.flatten(2)[..., self._indices].unflatten(2, self._region.shape)
        return torch.lerp(self._own.expand_as(recoloured), recoloured, self._region.expand_as(recoloured))

    def _corrected(self, target: Tensor) -> Tensor:
        """Return the colours (B, 3) with which the mean colours of the results of `_shift` are ``target``."""
        darkest = _DARKEST - _LEAST_CONTRAST * self._span[0]
        brightest = (_BRIGHTEST - _LEAST_CONTRAST * self._span[1]).clamp(max=self._fit.lightest)
        asked = target.clone()
        for _ in range(_CORRECTIONS):
            shifted = rgb_to_lab(_shift(self._pixels, self._mean, self._span, asked, self._fit))
            asked += target - (shifted * self._weights).sum((2, 3)) / self._weights.sum()
            asked[:, 0] = asked[:, 0].clamp(min=darkest).clamp(max=brightest)
        return asked


class Tones:
    """A product (3, H, W) in [0, 1] in its own and in other colours; ``region`` (H, W) is what changes."""

    def __init__(self, own: Tensor, region: Tensor, method: int = METHOD) -> None:
        self._own, self._region, self._method = own, region, method

    @cached_property
    def _recolouring(self) -> Recolouring:
        return Recolouring(self._own.mul(255).round().byte(), self._region, self._method)

    def coloured(self, colour: str | None) -> Tensor:
        """Return the product (3, H, W) in a colour; None keeps its own colours."""
        return self._own if colour is None else self._recolouring(lab_of(colour))[0]

    def lightness(self, colour: str | None) -> float:
        """Return the lightness of a colour, from 0 to 100; for None, the mean lightness of the region."""
        return self._recolouring.lightness if colour is None else float(lab_of(colour)[0, 0])


def lab_of(colour: str) -> Tensor:
    """Return a colour in CIELAB, (1, 3)."""
    return torch.from_numpy(to_lab(np.array([levels(colour)], np.uint8))).float()


def _palette(rgb: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
    """Return the colours of a region, (3, 1, N) in [0, 1], and the index (H * W) of each pixel's colour.

    Pixels share colours, so the palette is far smaller than the picture. Pixels outside the region have the
    index of black.
    """
    red, green, blue = (rgb * (region > 0)).int().flatten(1)
    codes, indices = (red << 16 | green << 8 | blue).unique(return_inverse=True)
    palette = torch.stack([codes >> 16, codes >> 8 & 255, codes & 255])[:, None]
    return palette / 255, indices


def _sample(lab: Tensor, indices: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
    """Return up to _SAMPLED pixels of a region, evenly spaced, as (3, 1, N), and their weights (1, N).

    ``lab`` is the palette (3, 1, N) and ``indices`` the index of each pixel's colour.
    """
    inside = (region > 0.5).flatten().nonzero()[:, 0]
    if not len(inside):
        inside = region.flatten().argmax()[None]
    inside = inside[:: -(-len(inside) // _SAMPLED)]
    return lab[..., indices[inside]], region.flatten()[None, inside].clamp(min=1e-6)


def _shift(lab: Tensor, mean: Tensor, span: Tensor, asked: Tensor, fit: _Fit) -> Tensor:
    """Change the mean colour of an image to each of B colours; return sRGB (B, 3, H, W).

    All colours are in CIELAB. ``lab`` (3, H, W): the pixels. ``mean`` (3,): their mean colour. ``span`` (2,):
    the lightness of the deepest shadows and of the brightest highlights, minus the mean's; the contrast is
    reduced until a screen can show both. ``asked`` (B, 3): the mean colours of the results. ``fit``: how the
    contrast of light colours is set.
    """
    light, shading = asked[:, :1, None], lab[0] - mean[0]
    # Less contrast where shadows or highlights would leave the range of a screen.
    below = ((light - _DARKEST) / (-span[0]).clamp(min=1e-3)).clamp(max=1)
    # Highlights of a dark product would look like metal or foil in a light colour.
    matt = 1 - _MATT * ((light - 40) / 40).clamp(0, 1)
    darker = ((light + 16) / (mean[0] + 16)).clamp(max=1)
    below = below * (((light + 16) / (mean[0] + 16)) ** fit.deepened).clamp(1, _MOST_DEEPENED)
    above = ((_BRIGHTEST - light) / span[1].clamp(min=1e-3)).clamp(max=1) * matt
    below, above = torch.minimum(below, fit.uneven * above), torch.minimum(above, fit.uneven * below)
    lightness = light + shading * torch.minimum(torch.where(shading < 0, below, above), darker**_DARKENED)
    lightness = lightness.clamp(_DARKEST, 100 - (100 - _BRIGHTEST) / 4)
    # Differences in chroma come from the old colour's light and shadow: on white they would be a tint of it.
    purer = (asked[:, 1:].norm(dim=1) + _GREY_CHROMA) / (mean[1:].norm() + _GREY_CHROMA)
    kept = (_KEPT_CHROMA * darker * purer.clamp(max=1)[:, None, None])[:, None]
    chroma = rgb_to_lab(_lit(asked, lightness))[:, 1:] + kept * (lab[1:] - mean[1:, None, None])
    return _into_gamut(lab_to_rgb(torch.cat([lightness[:, None], chroma], 1), clip=False))


def _lit(colours: Tensor, lightness: Tensor) -> Tensor:
    """Return sRGB (B, 3, H, W): B colours, CIELAB (B, 3), in light that gives the ``lightness`` (B, H, W).

    Less light scales a colour towards black. More light scales a colour up to _MAX_LIGHT; the rest is white
    shine. CIELAB is not used, because there a lighter blue of less chroma is violet.
    """
    linear = rgb_to_linear_rgb(lab_to_rgb(colours[..., None, None], clip=False).clamp(min=1e-4))
    luminance = torch.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)[:, None]
    own = (linear * linear.new_tensor(_LUMINANCE)[:, None, None]).sum(1, True)
    scale = (luminance / own).clamp(max=_MAX_LIGHT)
    return linear_rgb_to_rgb((linear * scale + (luminance - own * scale)).clamp(0, 1))


def _into_gamut(rgb: Tensor) -> Tensor:
    """Mix sRGB colours (B, 3, H, W) outside [0, 1] with grey of the same luminance until they are inside."""
    linear = rgb_to_linear_rgb(rgb)
    grey = (linear * linear.new_tensor(_LUMINANCE)[:, None, None]).sum(1, True).clamp(1e-4, 1 - 1e-4)
    change = linear - grey
    room = torch.where(change > 0, (1 - grey) / change.clamp(min=1e-6), grey / (-change).clamp(min=1e-6))
    mixed = grey + change * room.amin(1, True).clamp(max=1)
    return linear_rgb_to_rgb(mixed).clamp(0, 1)
