"""Metrics that compare the features of generated images with those of real ones."""

from collections.abc import Callable

import numpy as np

from prodgen.evaluation.context import Context
from prodgen.evaluation.features import Features
from prodgen.evaluation.figure import Measurement
from prodgen.evaluation.frechet import frechet_distance
from prodgen.evaluation.inception_score import inception_score
from prodgen.evaluation.kid import kernel_distance
from prodgen.evaluation.manifold import density_coverage, precision_recall

Metric = Callable[[Features, Features], dict[str, float]]
"""Features of generated and of real images -> values by name."""


def _fid(generated: Features, real: Features) -> dict[str, float]:
    size = generated.values.shape[1]
    if min(len(generated), len(real)) <= size:
        return {}  # the covariances would be of a lower rank than there are features
    return {"fid": frechet_distance(generated.values, real.values)}


def _kid(generated: Features, real: Features) -> dict[str, float]:
    return dict(zip(("kid", "kid_std"), kernel_distance(generated.values, real.values), strict=True))


def _precision_recall(generated: Features, real: Features) -> dict[str, float]:
    generated, real = _of_equal_size(generated, real)
    return dict(zip(("precision", "recall"), precision_recall(generated.values, real.values), strict=True))


def _density_coverage(generated: Features, real: Features) -> dict[str, float]:
    generated, real = _of_equal_size(generated, real)
    return dict(zip(("density", "coverage"), density_coverage(generated.values, real.values), strict=True))


def _of_equal_size(generated: Features, real: Features) -> tuple[Features, Features]:
    """Drop images of the larger set at random: more images have smaller balls, and lie in more of them."""
    size = min(len(generated), len(real))
    rows = [np.random.default_rng(0).permutation(len(x))[:size] for x in (generated, real)]
    return generated[rows[0].tolist()], real[rows[1].tolist()]


def _inception_score(generated: Features, real: Features) -> dict[str, float]:
    if generated.probabilities is None:
        return {}
    score = inception_score(generated.probabilities)
    return dict(zip(("inception_score", "inception_score_std"), score, strict=True))


METRICS: tuple[Metric, ...] = (_fid, _kid, _precision_recall, _density_coverage, _inception_score)
TITLES = {
    "fid": ("Fréchet distance (FID)", "lower"),
    "kid": ("kernel distance (KID)", "lower"),
    "precision": ("precision", "higher"),
    "recall": ("recall", "higher"),
    "density": ("density", "higher"),
    "coverage": ("coverage", "higher"),
    "inception_score": ("Inception Score", "higher"),
}
"""The title of each value, and which values are better."""
OF_EQUAL_SIZE = ("precision", "recall", "density", "coverage")
"""Values for which both sets have the same number of images."""


def compare(generated: Features, real: Features) -> dict[str, float]:
    """Return all values that can be measured; ``NAME_std`` is the spread of ``NAME``."""
    return {name: value for metric in METRICS for name, value in metric(generated, real).items()}


def comparison(context: Context) -> Measurement:
    """Compare the generated images with the test split by all metrics."""
    generated = compare(context.generated_features, context.test_features)
    real = compare(context.stand_in, context.test_features)
    figures = {}
    for name, (title, better) in TITLES.items():
        if name in generated:
            own = {"std": generated.get(f"{name}_std"), **_counts(context, name)}
            figures[name] = context.figure(title, generated[name], real.get(name), better, **own)
    left_out = []
    if "fid" not in generated:
        size = context.test_features.values.shape[1]
        left_out.append(
            f"the Fréchet distance (FID): {size:,} features need more than {size:,} images; there are "
            f"{context.count:,} generated and {len(context.splits.test):,} real ones (use the KID)"
        )
    if "inception_score" not in generated:
        left_out.append("the Inception Score: the feature network has no classes")
    return Measurement(figures, left_out=tuple(left_out))


def _counts(context: Context, name: str) -> dict[str, int]:
    generated, real, stand_in = context.count, len(context.splits.test), len(context.stand_in)
    if name in OF_EQUAL_SIZE:
        generated, stand_in = min(generated, real), min(stand_in, real)
        real = generated
    return {"generated_count": generated, "real_count": real, "stand_in_count": stand_in}
