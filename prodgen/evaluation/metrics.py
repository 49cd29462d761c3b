"""The measures that compare two sets of images by their features, by name."""

from collections.abc import Callable

import numpy as np

from prodgen.evaluation.density_coverage import density_coverage
from prodgen.evaluation.frechet import frechet_distance
from prodgen.evaluation.inception_score import inception_score
from prodgen.evaluation.kid import kernel_distance
from prodgen.evaluation.network import Features
from prodgen.evaluation.precision_recall import precision_recall

Metric = Callable[[Features, Features], dict[str, float]]
"""Generated and real features -> its figures by name."""


def _fid(generated: Features, real: Features) -> dict[str, float]:
    size = generated.values.shape[1]
    if min(len(generated), len(real)) <= size:
        return {}  # the covariances would be of a lower rank than there are features
    return {"fid": frechet_distance(generated.values, real.values)}


def _kid(generated: Features, real: Features) -> dict[str, float]:
    return dict(zip(("kid", "kid_std"), kernel_distance(generated.values, real.values), strict=True))


def _precision_recall(generated: Features, real: Features) -> dict[str, float]:
    generated, real = _as_many(generated, real)
    return dict(zip(("precision", "recall"), precision_recall(generated.values, real.values), strict=True))


def _density_coverage(generated: Features, real: Features) -> dict[str, float]:
    generated, real = _as_many(generated, real)
    return dict(zip(("density", "coverage"), density_coverage(generated.values, real.values), strict=True))


def _as_many(generated: Features, real: Features) -> tuple[Features, Features]:
    """As many of the one as of the other, at random: the more images, the smaller are the balls around them,
    and the more of the others' they cover."""
    size = min(len(generated), len(real))
    rows = [np.random.default_rng(0).permutation(len(x))[:size] for x in (generated, real)]
    return generated[rows[0].tolist()], real[rows[1].tolist()]


def _inception_score(generated: Features, real: Features) -> dict[str, float]:
    if generated.probabilities is None:
        return {}
    score = inception_score(generated.probabilities)
    return dict(zip(("inception_score", "inception_score_std"), score, strict=True))


METRICS: dict[str, Metric] = {
    "fid": _fid,
    "kid": _kid,
    "precision and recall": _precision_recall,
    "density and coverage": _density_coverage,
    "inception score": _inception_score,
}
TITLES = {
    "fid": ("Fréchet distance (FID)", "lower"),
    "kid": ("kernel distance (KID)", "lower"),
    "precision": ("precision", "higher"),
    "recall": ("recall", "higher"),
    "density": ("density", "higher"),
    "coverage": ("coverage", "higher"),
    "inception_score": ("Inception Score", "higher"),
}
"""What people read, and which way is better."""
AS_MANY = ("precision", "recall", "density", "coverage")
"""Figures that take as many generated images as real ones."""


def compare(generated: Features, real: Features) -> dict[str, float]:
    """The figures of all metrics that can be had; ``NAME_std`` is the spread of ``NAME``."""
    return {name: value for metric in METRICS.values() for name, value in metric(generated, real).items()}
