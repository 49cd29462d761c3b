"""Colours: parse CSS notations, convert between sRGB and CIELAB, and measure how different two colours look.

White is D65 with the 2 degree observer, as in sRGB (IEC 61966-2-1). In CIELAB, L is from 0 (black) to 100
(white), a from green (-) to red (+) and b from blue (-) to yellow (+). For colours that a screen can show, a
and b are within about 110 of 0.
"""

from contextlib import suppress
from typing import Annotated, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import ImageColor
from pydantic import AfterValidator

from prodgen.spec.spelling import did_you_mean

Float = TypeVar("Float", np.float32, np.float64)
Floats = NDArray[np.float64]
BATCH = 100
"""How many images `mean_colours` processes at a time."""
LAB_CENTRE, LAB_SCALE = (50.0, 0.0, 0.0), 25.0
"""`encode_lab` subtracts the centre from a CIELAB colour and divides the result by the scale."""

_TO_XYZ = np.array([
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_WHITE = _TO_XYZ.sum(1)
# CIE 15: below the knee, a straight line with this slope replaces the cube root.
_KNEE, _SLOPE = (6 / 29) ** 3, (29 / 6) ** 2 / 3


def parse_colour(text: str) -> str:
    """Return a CSS colour as #rrggbb. ``text`` is a name ("forest green"), ``rgb(…)``, ``hsl(…)`` or #rrggbb.

    Raises ValueError if ``text`` is no colour, or a transparent colour.
    """
    red, green, blue = levels(text)
    return f"#{red:02x}{green:02x}{blue:02x}"


def parse_gradient(text: str) -> tuple[str, str] | None:
    """Return the two colours of a text such as ``skyblue/white`` as #rrggbb, or None for any other text."""
    with suppress(ValueError):
        upper, lower = text.split("/")
        return parse_colour(upper), parse_colour(lower)
    return None


def levels(text: str) -> tuple[int, ...]:
    """Return red, green and blue of a CSS colour, from 0 to 255. Raises ValueError like `parse_colour`."""
    joined = "".join(text.split()).replace("-", "")
    found: tuple[int, ...] = ()
    with suppress(ValueError):
        found = ImageColor.getrgb(joined if joined.isalpha() else text.strip())
    if not found or max(found) > 255:
        hint = did_you_mean(text, ImageColor.colormap)
        raise ValueError(f"{text!r} is no colour; write a CSS name or #rrggbb{hint}")
    if found[3:] not in ((), (255,)):
        raise ValueError(f"{text!r} is transparent; write an opaque colour")
    return found[:3]


def to_hex(lab: ArrayLike) -> str:
    """Return a CIELAB colour (3,) as #rrggbb, clipped to the colours that a screen can show."""
    red, green, blue = (to_rgb(lab) * 255).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


Colour = Annotated[str, AfterValidator(parse_colour)]
"""The type of a pydantic field that accepts a colour in any CSS notation and stores #rrggbb."""


def to_lab(rgb: ArrayLike) -> Floats:
    """Convert sRGB (..., 3), as bytes in [0, 255] or floats in [0, 1], to CIELAB (..., 3)."""
    given = np.asarray(rgb)
    encoded = given / 255.0 if given.dtype.kind in "iu" else given.astype(np.float64)
    share = to_linear(encoded) @ _TO_XYZ.T / _WHITE
    x, y, z = np.moveaxis(np.where(share > _KNEE, np.cbrt(share), _SLOPE * share + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def to_rgb(lab: ArrayLike) -> Floats:
    """Return CIELAB (..., 3) as sRGB (..., 3) in [0, 1], clipped to the colours that a screen can show."""
    lightness, a, b = np.moveaxis(np.asarray(lab, np.float64), -1, 0)
    y = (lightness + 16) / 116
    root = np.stack([y + a / 500, y, y - b / 200], -1)
    share = np.where(root > 6 / 29, root**3, (root - 4 / 29) / _SLOPE)
    linear = np.clip((share * _WHITE) @ _FROM_XYZ.T, 0, 1)
    return to_srgb(linear)


def to_linear(srgb: NDArray[Float]) -> NDArray[Float]:
    """Return the linear light of sRGB. In both, 0 is black and 1 is white."""
    light: NDArray[Float] = np.where(
        srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4
    )
    return light


def to_srgb(light: NDArray[Float]) -> NDArray[Float]:
    """Return the sRGB of linear light. In both, 0 is black and 1 is white."""
    srgb: NDArray[Float] = np.where(
        light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055
    )
    return srgb


def encode_lab(lab: ArrayLike) -> NDArray[np.float32]:
    """Return CIELAB (B, 3) as numbers for a network (B, 4): scaled L, a, b (mostly in [-2, 2]), and 1.

    A NaN in a colour means that the colour is unknown. Its four numbers are 0.
    """
    scaled = (np.asarray(lab, np.float32).reshape(-1, 3) - LAB_CENTRE) / LAB_SCALE
    encoded = np.concatenate([scaled, np.ones((len(scaled), 1))], 1)
    return np.where(np.isnan(scaled).any(1, keepdims=True), 0.0, encoded).astype(np.float32)


def mean_colours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean CIELAB colour (N, 3) of premultiplied images (N, H, W, 4), weighted by their alpha.

    The colour of an image that is transparent everywhere is NaN.
    """
    parts = [_means(images[k : k + BATCH].astype(np.float64)) for k in range(0, len(images), BATCH)]
    return np.concatenate(parts)


def _means(images: NDArray[np.float64]) -> NDArray[np.float64]:
    colour, alpha = images[..., :3], images[..., 3:]
    lab = to_lab(np.minimum(colour / np.maximum(alpha, 1.0), 1.0))
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = (lab * alpha).sum((1, 2)) / alpha.sum((1, 2))
    return means


def delta_e_2000(lab1: ArrayLike, lab2: ArrayLike) -> Floats:
    """Return the CIEDE2000 differences (...) between two arrays of CIELAB colours (..., 3); they broadcast.

    0 means equal; about 1 is the least difference that people see side by side; white to black is 100.
    From Sharma, Wu & Dalal, "The CIEDE2000 Color-Difference Formula", Color Research and Application 30
    (2005). The numbers in brackets in the code are the paper's equations.
    """
    light1, a1, b1 = np.moveaxis(np.asarray(lab1, np.float64), -1, 0)
    light2, a2, b2 = np.moveaxis(np.asarray(lab2, np.float64), -1, 0)
    grey = 0.5 * (1 - _saturation((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2))  # (4)
    a1, a2 = (1 + grey) * a1, (1 + grey) * a2
    chroma1, chroma2 = np.hypot(a1, b1), np.hypot(a2, b2)
    hue1, hue2 = np.arctan2(b1, a1) % (2 * np.pi), np.arctan2(b2, a2) % (2 * np.pi)
    angle, hue = _hues(hue1, hue2, chroma1 * chroma2 == 0)
    d_hue = 2 * np.sqrt(chroma1 * chroma2) * np.sin(angle / 2)  # (11)
    d_light, d_chroma = light2 - light1, chroma2 - chroma1
    light, chroma = (light1 + light2) / 2, (chroma1 + chroma2) / 2
    s_light = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)  # (19)
    s_chroma = 1 + 0.045 * chroma  # (20)
    s_hue = 1 + 0.015 * chroma * _hue_weight(hue)  # (21)
    blue = np.radians(30) * np.exp(-(((np.degrees(hue) - 275) / 25) ** 2))  # (16)
    rotation = -np.sin(2 * blue) * 2 * _saturation(chroma)  # (17), (18)
    light_part, chroma_part, hue_part = d_light / s_light, d_chroma / s_chroma, d_hue / s_hue
    square = light_part**2 + chroma_part**2 + hue_part**2 + rotation * chroma_part * hue_part  # (22)
    difference: Floats = np.sqrt(np.maximum(square, 0))
    return difference


def _saturation(chroma: Floats) -> Floats:
    ratio: Floats = chroma**7 / (chroma**7 + 25.0**7)
    return ratio**0.5


def _hues(hue1: Floats, hue2: Floats, grey: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the shorter angle from ``hue1`` to ``hue2`` (10) and the mean of both hues (14), in radians.

    ``grey`` is true where a colour has no hue: there the angle is 0, and the "mean" is the sum.
    """
    angle = (hue2 - hue1 + np.pi) % (2 * np.pi) - np.pi
    # For exactly opposite hues, the paper takes the sign of hue2 - hue1.
    angle = np.where(np.isclose(np.abs(hue2 - hue1), np.pi, atol=1e-12), hue2 - hue1, angle)
    total = hue1 + hue2
    wide = np.abs(hue1 - hue2) > np.pi + 1e-12
    mean = np.where(wide, np.where(total < 2 * np.pi, total + 2 * np.pi, total - 2 * np.pi), total) / 2
    return np.where(grey, 0.0, angle), np.where(grey, total, mean)


def _hue_weight(hue: Floats) -> Floats:
    """Return the weight T of a hue (radians), by equation (15) of the paper in `delta_e_2000`."""
    weight: Floats = (
        1
        - 0.17 * np.cos(hue - np.radians(30))
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + np.radians(6))
        - 0.20 * np.cos(4 * hue - np.radians(63))
    )
    return weight
