"""Retouch a photographed product: correct its light by the ground around the product, and turn it upright."""

from collections.abc import Collection

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.masks import Mask, Pixels, Plane, fitted
from prodgen.spec.colour import to_linear, to_srgb

_REACH = 0.03  # width, as a share of the longer side, of the strip around a product that is not ground
_WHITE, _BRIGHTEST = 92.0, 95.0
"""CIELAB lightness that a light ground is brought to, and the percentile of the ground that is read."""
_CAST, _COLOURED = 8.0, 16.0
"""Deviation from grey up to which a ground counts as white, and from which it counts as coloured. A tint of
light is blue or yellow (b* of CIELAB). Red and green (a*) count double: they come from coloured walls."""
_DARK, _LIGHT = 60.0, 72.0  # lightness up to which a ground is no white, and from which it certainly is
_MOST_LIGHT, _SHOULDER = 1.6, 0.7  # largest gain of light, and linear light from which less is gained
_SIDE, _CANVAS = 100, 150  # longer side of the matte, in pixels, whose tilt is found, and of its canvas
_MOST_TILT, _LEAST_TILT = 12.0, 1.0  # degrees
_SYMMETRY, _GAIN = 0.9, 0.02
"""A product is turned only if the symmetry of its matte (IoU with the mirror image) is then at least the
first number, and has grown by at least the second number."""
_AXIS = range(-5, 6)  # pixels by which the axis may lie beside the matte's centre


def retouch(
    steps: Collection[str], rgb: Pixels, matte: Plane, region: Plane, *, ground: bool
) -> tuple[Pixels, Plane, Plane]:
    """Return the colours (H, W, 3), the matte and the region (H, W) of a product after the steps.

    ``steps``: names of `RETOUCHES`. ``ground``: whether ``rgb`` shows the ground around the product; a
    photograph that was already a cut-out shows none.
    """
    if "light" in steps and ground:
        rgb = lit_by_ground(rgb, matte)
    if "straighten" in steps:
        rgb, matte, region = _turned(tilt(matte), rgb, matte, region)
    return rgb, matte, region


def lit_by_ground(rgb: Pixels, matte: Plane) -> Pixels:
    """Correct the brightness and the tint of a photograph, so that a nearly white ground looks white.

    The correction is weaker for a darker or a more coloured ground. A photograph stays as it is if its ground
    is certainly not white, or if no ground is found.
    """
    colour = _ground_colour(rgb, matte)
    if colour is None:
        return rgb
    lab = cv2.cvtColor(colour.reshape(1, 1, 3), cv2.COLOR_LRGB2LAB)[0, 0]
    trust = np.clip((_COLOURED - np.hypot(2 * lab[1], lab[2])) / (_COLOURED - _CAST), 0, 1)
    trust *= np.clip((lab[0] - _DARK) / (_LIGHT - _DARK), 0, 1)
    own, white = (float(((light + 16) / 116) ** 3) for light in (lab[0], _WHITE))
    wanted = max(min(white, own * _MOST_LIGHT), *colour)
    gains = (wanted / colour.clip(0.01)) ** trust
    curves = (255 * to_srgb(_brightened(to_linear(np.arange(256) / 255)[:, None], gains))).round()
    return cv2.LUT(rgb, curves.reshape(1, 256, 3).astype(np.uint8))


def tilt(matte: Plane) -> float:
    """Return the angle in degrees, counterclockwise, by which to turn a product so that it stands upright.

    A product is upright if its outline is symmetric. The angle is 0 for a product that is nearly upright, and
    for a product whose outline has no axis.
    """
    small = fitted(matte, _SIDE)
    found = {angle: _symmetry(small, angle) for angle in np.arange(-_MOST_TILT, _MOST_TILT + 0.5)}
    best = max(found, key=lambda angle: found[angle])
    near = np.linspace(best - 0.75, best + 0.75, 7)
    best = max(near, key=lambda angle: _symmetry(small, angle))
    clear = _symmetry(small, best) >= max(_SYMMETRY, found[0.0] + _GAIN)
    return float(best) if clear and _LEAST_TILT <= abs(best) < _MOST_TILT else 0.0


def _ground_colour(rgb: Pixels, matte: Plane) -> NDArray[np.float32] | None:
    """Return the colour of the ground's lighter half in linear light (3,), or None with too little ground."""
    reach = 2 * round(_REACH * max(matte.shape)) + 1
    near = cv2.dilate((matte > 0).astype(np.uint8), np.ones((reach, reach), np.uint8))
    ground: Mask = near == 0
    if ground.mean() < _REACH:
        return None
    pixels = rgb[ground]
    grey = pixels @ np.array([0.2126, 0.7152, 0.0722])
    middle, top = np.percentile(grey, [50, _BRIGHTEST])
    half = pixels[(grey >= middle) & (grey <= top)]
    return to_linear(np.median(half, 0) / 255).astype(np.float32)


def _brightened(linear: NDArray, gains: NDArray) -> NDArray:
    """Return linear light times ``gains`` (at least 1); bright light gains less, so white stays white."""
    knee, power = _SHOULDER / gains, (gains - _SHOULDER) / (1 - _SHOULDER)
    left = ((1 - linear) / (1 - knee)).clip(0, 1) ** power
    return np.where(linear < knee, linear * gains, 1 - (1 - _SHOULDER) * left)


def _symmetry(matte: Plane, angle: float) -> float:
    """Return the IoU of a matte, turned by ``angle`` degrees, with its mirror image at the best axis."""
    turn = _turn(matte, angle, (_CANVAS, _CANVAS))
    turned = cv2.warpAffine(matte, turn, (_CANVAS, _CANVAS))
    mirror = turned[:, ::-1]
    shifted = (np.roll(mirror, shift, 1) for shift in _AXIS)
    return max(float(np.minimum(turned, one).sum() / np.maximum(turned, one).sum()) for one in shifted)


def _turned(angle: float, *planes: NDArray) -> tuple[NDArray, ...]:
    """Turn planes (H, W, ...) counterclockwise by ``angle`` degrees; the canvas grows to hold all pixels."""
    if not angle:
        return planes
    height, width = planes[0].shape[:2]
    cos, sin = np.cos(np.radians(angle)), abs(np.sin(np.radians(angle)))
    size = int(np.ceil(width * cos + height * sin)), int(np.ceil(width * sin + height * cos))
    turn = _turn(planes[0], angle, size)
    borders = (cv2.BORDER_REPLICATE if plane.ndim == 3 else cv2.BORDER_CONSTANT for plane in planes)
    turned = (
        cv2.warpAffine(plane, turn, size, flags=cv2.INTER_CUBIC, borderMode=border)
        for plane, border in zip(planes, borders, strict=True)
    )
    return tuple(plane if plane.ndim == 3 else plane.clip(0, 1) for plane in turned)


def _turn(plane: NDArray, angle: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the matrix (2, 3) that turns a plane around its middle, onto the middle of a canvas of ``size``.

    ``angle`` is in degrees, counterclockwise; ``size`` is (width, height) in pixels.
    """
    middle = np.array(plane.shape[1::-1]) / 2
    matrix = cv2.getRotationMatrix2D(tuple(middle), angle, 1)
    matrix[:, 2] += np.array(size) / 2 - middle
    return matrix
