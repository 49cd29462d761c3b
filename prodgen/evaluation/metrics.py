"""Metrics that compare the features of generated images with those of real ones."""

import numpy as np
from torch import Tensor

from prodgen.evaluation.context import Context
from prodgen.evaluation.features import Features
from prodgen.evaluation.figure import Measurement
from prodgen.evaluation.frechet import frechet_distance
from prodgen.evaluation.inception_score import inception_score
from prodgen.evaluation.kid import kernel_distance
from prodgen.evaluation.manifold import density_coverage, precision_recall

TITLES = {
    "fid": ("Fréchet distance (FID)", "lower"),
    "kid": ("kernel distance (KID)", "lower"),
    "precision": ("precision", "higher"),
    "recall": ("recall", "higher"),
    "density": ("density", "higher"),
    "coverage": ("coverage", "higher"),
    "inception_score": ("Inception Score", "higher"),
}
"""The title of each metric, and whether lower or higher values are better."""
OF_EQUAL_SIZE = ("precision", "recall", "density", "coverage")
"""Metrics that compare two sets with the same number of images."""


def compare(generated: Features, real: Features) -> dict[str, float]:
    """Return all metrics that the features allow. ``NAME_std`` is the standard deviation of ``NAME``."""
    ours, theirs = generated.values, real.values
    found: dict[str, float] = {}
    if min(ours.shape[0], theirs.shape[0]) > ours.shape[1]:  # else the covariances do not have full rank
        found["fid"] = frechet_distance(ours, theirs)
    found["kid"], found["kid_std"] = kernel_distance(ours, theirs)
    ours, theirs = _of_equal_size(ours, theirs)
    found["precision"], found["recall"] = precision_recall(ours, theirs)
    found["density"], found["coverage"] = density_coverage(ours, theirs)
    if generated.probabilities is not None:
        score = inception_score(generated.probabilities)
        found["inception_score"], found["inception_score_std"] = score
    return found


def _of_equal_size(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Drop random rows of the larger set, because the metrics of `OF_EQUAL_SIZE` depend on both sizes."""
    size = min(len(a), len(b))
    rows = [np.random.default_rng(0).permutation(len(x))[:size].tolist() for x in (a, b)]
    return a[rows[0]], b[rows[1]]


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
