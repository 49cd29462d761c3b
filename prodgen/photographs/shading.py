"""Tell the light on a patterned product from its pattern, so that another material can lie in this light.

Light changes gradually, and a pattern changes at edges. The product's colours are grouped; what the lightness
of two groups differs by where they meet is the pattern, and what is left is light.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.masks import Pixels, Plane, fitted
from prodgen.spec.colour import to_linear, to_srgb

_SIDE = 480  # longer side, in pixels, at which the light is found
_GROUPS, _SAMPLED = 10, 8192  # groups of colours, and the pixels from which the groups are found
_LIGHTNESS = 0.7  # weight of lightness when colours are grouped
_DARKEST = 0.004  # least linear light: below it, noise would count as light
_ACROSS = 3  # pixels between the two sides of an edge of the pattern, because edges are blurred
_GRADUAL = 0.06  # difference of logarithms that light alone makes across such a distance
_PRIOR = 30.0  # edge pixels that count as much as the mean lightness of a group does
_EDGE = 0.1  # weight of pixels at an edge of the pattern, where two colours are mixed
_SMOOTH, _SMOOTH_PLAIN = 0.008, 0.02
"""Blur of the light on patterned and on plain cloth: shares of the longer side. Finer detail is texture."""
_RANGE = 0.15, 2.2  # limits of the light, as multiples of its mean
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)

Floats = NDArray[np.float32]


def light_on(rgb: Pixels, cover: Plane, *, patterned: bool = True) -> Plane:
    """Return the light on a product, (H, W), as a factor of linear light that is 1 on average.

    ``rgb`` (H, W, 3): the product, not premultiplied. ``cover`` (H, W): how much of each pixel it covers.
    ``patterned``: whether the product has a pattern, which is told from the light.
    """
    small, inside = fitted(rgb, _SIDE), fitted(cover, _SIDE) > 0.95
    if inside.sum() < _GROUPS:
        return np.ones(cover.shape, np.float32)
    logs = np.log(np.maximum(linear(small) @ _LUMINANCE, _DARKEST))
    labels = _groups(small, inside) if patterned else np.zeros(inside.shape, np.intp)
    pattern = _levels(logs, labels, inside)[labels]
    mixed = cv2.morphologyEx(pattern.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    weight = np.where(mixed > _GRADUAL, np.float32(_EDGE), np.float32(1)) * np.exp(pattern - pattern.max())
    weight = (weight * inside).astype(np.float32)
    sigma = (_SMOOTH if patterned else _SMOOTH_PLAIN) * max(logs.shape)
    light = logs - pattern
    sums = cv2.GaussianBlur(weight, (0, 0), sigma)
    smooth = cv2.GaussianBlur(light * weight, (0, 0), sigma) / np.maximum(sums, 1e-6)
    smooth = np.exp(smooth - np.log(np.average(np.exp(light), weights=weight)))
    smooth = np.where(sums > 1e-4, smooth, 1).clip(*_RANGE).astype(np.float32)
    return cv2.resize(smooth, cover.shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)


def without_pattern(rgb: Pixels, cover: Plane) -> Pixels:
    """Return a product in its mean colour and in its own light, (H, W, 3). The arguments are `light_on`'s."""
    light = light_on(rgb, cover)
    mean = np.average(linear(rgb).reshape(-1, 3), axis=0, weights=cover.ravel() + 1e-6)
    return encoded(light[..., None] * mean.astype(np.float32))


def linear(rgb: Pixels) -> Floats:
    """Return the linear light of sRGB bytes, in [0, 1]."""
    return to_linear(rgb.astype(np.float32) / 255)


def encoded(light: Floats) -> Pixels:
    """Return the sRGB bytes of linear light; what a screen cannot show is cut off."""
    return (to_srgb(light.clip(1e-6, 1)) * 255).round().astype(np.uint8)


def _groups(rgb: Pixels, inside: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the number of the group of each pixel's colour, (H, W)."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab[..., 0] *= _LIGHTNESS
    points = lab[inside][:: -(-int(inside.sum()) // _SAMPLED)]
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 20, 0.5)
    count, unknown = min(_GROUPS, len(points)), np.zeros((len(points), 1), np.int32)
    _, _, centres = cv2.kmeans(points, count, unknown, stop, 1, cv2.KMEANS_PP_CENTERS)
    nearest: NDArray[np.intp] = np.stack([((lab - centre) ** 2).sum(-1) for centre in centres]).argmin(0)
    return nearest


def _levels(logs: Floats, labels: NDArray[np.intp], inside: NDArray[np.bool_]) -> Floats:
    """Return the lightness of each group's own colour, as a logarithm.

    ``logs`` (H, W): the logarithm of each pixel's light. Two groups differ by the median of the differences
    where they meet; groups that hardly meet differ as their mean light does.
    """
    count = int(labels.max()) + 1
    means = np.array(
        [logs[inside & (labels == k)].mean() if (inside & (labels == k)).any() else 0 for k in range(count)]
    )
    rows, wanted, weights = list[NDArray[np.float64]](), list[float](), list[float]()
    pairs, steps = _steps(logs, labels, inside)
    for one in range(count):
        for other in range(one):
            found = steps[(pairs == one * count + other)]
            if len(found):
                step = float(np.median(found))
                row = np.zeros(count)
                row[one], row[other] = 1, -1
                rows.append(row)
                wanted.append(step if abs(step) > _GRADUAL else 0.0)
                weights.append(len(found) ** 0.5)
    for k in range(count):
        rows.append(np.eye(count)[k])
        wanted.append(float(means[k]))
        weights.append(_PRIOR**0.5 / 10)
    scale = np.array(weights)
    levels = np.linalg.lstsq(np.array(rows) * scale[:, None], np.array(wanted) * scale, rcond=None)[0]
    return np.asarray(levels, np.float32)


def _steps(
    logs: Floats, labels: NDArray[np.intp], inside: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], Floats]:
    """Return the pairs of groups that meet (N,), larger number first, and how their light differs (N,)."""
    count, pairs, steps = int(labels.max()) + 1, [], []
    for axis in (0, 1):
        first, second = ((slice(None),) * axis + (part,) for part in (slice(-_ACROSS), slice(_ACROSS, None)))
        meet = inside[first] & inside[second] & (labels[first] != labels[second])
        one, other, step = labels[first][meet], labels[second][meet], (logs[first] - logs[second])[meet]
        pairs.append(np.maximum(one, other) * count + np.minimum(one, other))
        steps.append(np.where(one > other, step, -step))
    return np.concatenate(pairs), np.concatenate(steps)
