"""How good a cut is, and what is wrong with a bad one."""

from typing import NamedTuple

import cv2
import numpy as np

from prodgen.catalog.photographs.cut import Mask, Pixels

LEAST, LEAST_ALONE = 0.72, 0.5
"""The quality from which a cut is kept; and where no network knows the others, and good ones score low."""
_ALIKE = 10.0
"""In CIELAB: product and ground that are nearer to each other are hard to tell apart."""
_BESIDE = 0.02
"""Of the longer side: how far from the edge the colours are taken that are compared across it."""


class Marks(NamedTuple):
    """What a cut is judged by: ``coverage`` of the picture, ``contact`` with its border, ``solidity``.

    ``separation`` is in CIELAB; None for a cut that does not depend on it. ``agreement`` is the overlap with
    what the other pictures make of this one, and ``unanimity`` that with a cut from this picture alone; None
    where there is no network that knows the others. All but the separation are shares from 0 to 1.
    """

    coverage: float
    contact: float
    solidity: float
    separation: float | None
    agreement: float | None
    unanimity: float | None


def sure_marks(mask: Mask) -> Marks:
    """The marks of a cut that came with the picture, or from a ground of one colour."""
    return Marks(float(mask.mean()), contact(mask), solidity(mask), None, None, None)


def mark(rgb: Pixels, mask: Mask, expected: Mask | None = None, alone: Mask | None = None) -> Marks:
    """A cut's marks, given what the other pictures make of this one, and a cut from this picture alone."""
    agreement, unanimity = (None if other is None else overlap(mask, other) for other in (expected, alone))
    marks = sure_marks(mask)
    return marks._replace(separation=separation(rgb, mask), agreement=agreement, unanimity=unanimity)


def overlap(one: Mask, other: Mask) -> float:
    """Intersection over union; 0 where both are empty."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def is_instructive(mask: Mask) -> bool:
    """Whether a first cut looks like a product at first sight: not too small or large, nor in shreds."""
    return 0.1 < mask.mean() < 0.8 and contact(mask) < 0.15 and solidity(mask) > 0.5


def contact(mask: Mask) -> float:
    """The share of the picture's border that the product covers."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def solidity(mask: Mask) -> float:
    """The product's area as a share of its convex hull's; a pair counts as one."""
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    if len(points) < 3:
        return 0.0
    return float(len(points) / max(cv2.contourArea(cv2.convexHull(points)), len(points)))


def separation(rgb: Pixels, mask: Mask) -> float:
    """How far in CIELAB product and ground are apart across the edge: met or exceeded on 3/4 of the edge."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    width = 2 * max(2, round(_BESIDE * max(mask.shape))) + 1
    inside, outside = mask.astype(np.float32), 1 - mask.astype(np.float32)
    edge = mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    if not edge.any():
        return 0.0
    means = [
        cv2.blur(lab * part[..., None], (width, width))[edge]
        / np.maximum(cv2.blur(part, (width, width))[edge], 1e-6)[:, None]
        for part in (inside, outside)
    ]
    return float(np.quantile(np.linalg.norm(means[0] - means[1], axis=1), 0.25))


class Verdict(NamedTuple):
    """``reason``: why a cut is set aside, or None. ``quality`` is from 0 to 1."""

    reason: str | None
    quality: float


def judge(marks: Marks) -> Verdict:
    """What the marks come to. The quality is the chance that a person calls the cut good."""
    fault = _plain_fault(marks)
    if fault:
        return Verdict(fault, 0.0)
    quality = _chance(marks)
    if quality >= (LEAST_ALONE if marks.agreement is None else LEAST):
        return Verdict(None, quality)
    if marks.agreement is None or (marks.separation or 0) < _ALIKE:
        return Verdict("product and ground look alike", quality)
    return Verdict("it does not have the shape that the other pictures suggest", quality)


def _plain_fault(marks: Marks) -> str | None:
    if marks.coverage < 0.02:
        return "hardly anything was found"
    if marks.coverage > 0.9:
        return "hardly any ground was found"
    if marks.contact > 0.3:
        return "the product runs over the edge of the picture"
    return "what was found is in shreds" if marks.solidity < 0.3 else None


def _chance(marks: Marks) -> float:
    """Logistic regressions on 240 cut-outs of photographs of clothing, of which a person called 196 good."""
    if marks.separation is None:
        return 1.0
    apart = float(np.log(max(marks.separation, 1)))
    if marks.agreement is None or marks.unanimity is None:
        sum_ = 1.56 * apart - 3.38
    else:
        sum_ = 26.3 * marks.agreement + 1.34 * marks.unanimity + 0.73 * apart - 26.3
    return float(1 / (1 + np.exp(-sum_)))
