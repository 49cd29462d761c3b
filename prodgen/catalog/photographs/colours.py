"""The colours of a cut-out, told from its own pixels in CIELAB."""

import cv2
import numpy as np
from numpy.typing import NDArray

from prodgen.spec.colour import delta_e_2000, to_lab

_SOLID = 200
"""The alpha from which a pixel is nothing but product."""
_CENTRES = 6
_DARKNESS = 0.5
"""How much lightness counts against hue: a fold is darker, not of another colour."""
_SAME = 13.0
"""Two colours that are nearer to each other, by CIEDE2000 with that lightness, are one."""
_LEAST = 0.06
"""The share of the product from which a colour is mentioned."""

Floats = NDArray[np.float64]


def colours(rgba: NDArray[np.uint8]) -> list[tuple[Floats, float]]:
    """(S, S, 4) premultiplied bytes -> its CIELAB colours (3,), each with its share, greatest first.

    Shares are of the pixels that are nothing but product; those of colours too small to mention are left out
    and the rest add up to 1.
    """
    lab, alpha = _lab(rgba)
    solid = lab[alpha >= _SOLID / 255] if (alpha >= _SOLID / 255).any() else lab
    flat = solid * [_DARKNESS, 1, 1]
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 20, 0.5)
    count = min(_CENTRES, len(flat))
    _, nearest, _ = cv2.kmeans(flat.astype(np.float32), count, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    rows = nearest[:, 0]
    found = [(solid[rows == k].mean(0), float((rows == k).mean())) for k in range(count) if (rows == k).any()]
    merged = [colour for colour in _merged(found) if colour[1] >= _LEAST] or found[:1]
    total = sum(share for _, share in merged)
    return [(lab, share / total) for lab, share in merged]


def _merged(found: list[tuple[Floats, float]]) -> list[tuple[Floats, float]]:
    """The nearest two made one, again and again, until no two are alike; the greatest first."""
    while len(found) > 1:
        flat = np.array([lab for lab, _ in found])
        level = flat[:, 0].mean() + (flat[:, 0] - flat[:, 0].mean()) * _DARKNESS
        flat = np.column_stack([level, flat[:, 1:]])
        apart = delta_e_2000(flat[:, None], flat[None]) + np.diag(np.full(len(flat), np.inf))
        one, other = sorted(divmod(int(apart.argmin()), len(flat)))
        if apart[one, other] >= _SAME:
            break
        (lab2, share2), (lab1, share1) = found.pop(other), found.pop(one)
        found.append(((lab1 * share1 + lab2 * share2) / (share1 + share2), share1 + share2))
    return sorted(found, key=lambda colour: -colour[1])


def _lab(rgba: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """The pixels with some product in them: their own colours (N, 3), and their alpha (N,) from 0 to 1."""
    some = rgba[rgba[..., 3] > 0].astype(np.float64)
    return to_lab(np.minimum(some[:, :3] / some[:, 3:], 1)), some[:, 3] / 255
