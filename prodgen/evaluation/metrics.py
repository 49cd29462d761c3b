"""Metrics that compare the features of generated images with the features of real images."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from prodgen.evaluation.context import Context, Measurement
from prodgen.evaluation.features import Features
from prodgen.evaluation.neighbours import density_coverage, precision_recall
from prodgen.evaluation.probe import probe_accuracy


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return the Fréchet distance between Gaussians fitted to ``a`` (N, D) and ``b`` (M, D).

    N and M must exceed D. Returns infinity if a feature is not finite.
    """
    a, b = a.double(), b.double()
    if not (a.isfinite().all() and b.isfinite().all()):
        return math.inf  # the library that finds eigenvalues may crash on such numbers
    difference = (a.mean(0) - b.mean(0)).square().sum()
    covariance_a, covariance_b = torch.cov(a.T), torch.cov(b.T)
    # The trace of a matrix's square root is the sum of its eigenvalues' roots, here real up to rounding.
    overlap = torch.linalg.eigvals(covariance_a @ covariance_b).real.clamp(min=0).sqrt().sum()
    return float(difference + covariance_a.trace() + covariance_b.trace() - 2 * overlap)


SUBSET = 1000
"""Maximum number of images that a subset takes from each set, unless the caller gives a size."""


def kernel_distance(
    a: Tensor, b: Tensor, subsets: int = 100, size: int | None = None, seed: int = 0
) -> tuple[float, float]:
    """Return the mean and standard deviation of the unbiased MMD² of ``a`` (N, D) and ``b`` (M, D).

    Computes the MMD² of ``subsets`` random subsets, with the kernel (x·y / D + 1)³. A subset has ``size``
    images of each set: by default 1,000, but at most half of the smaller set, so that subsets differ.
    """
    distances = _distances(a, b, subsets, size, seed)
    return float(distances.mean()), float(distances.std(correction=0))


def _distances(a: Tensor, b: Tensor, subsets: int = 100, size: int | None = None, seed: int = 0) -> Tensor:
    """Return the MMD² of each random subset, (subsets,).

    Calls with equal counts and seeds choose the same rows.
    """
    size = size or min(SUBSET, len(a) // 2, len(b) // 2)
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        rows_a, rows_b = (torch.randperm(len(x), generator=generator)[:size].to(x.device) for x in (a, b))
        values.append(_mmd(a[rows_a].double(), b[rows_b].double()))
    return torch.stack(values)


def kernel_distance_by_level(
    a: Tensor, b: Tensor, levels: Mapping[str, slice], subsets: int = 100
) -> tuple[tuple[float, float], dict[str, float]]:
    """Return (mean, standard deviation) of the kernel distance over all levels, and each level's distance.

    ``levels``: the columns of each level in ``a`` (N, D) and ``b`` (M, D), by name.
    """
    found = {name: _distances(a[:, part], b[:, part], subsets) for name, part in levels.items()}
    mean = torch.stack([*found.values()]).mean(0)
    own = {name: float(distances.mean()) for name, distances in found.items()}
    return (float(mean.mean()), float(mean.std(correction=0))), own


def _mmd(x: Tensor, y: Tensor) -> Tensor:
    """Return the unbiased MMD² of ``x`` and ``y``, both (n, D). Does not compare an image with itself."""
    n = len(x)
    within = sum((k.sum() - k.trace()) / (n * (n - 1)) for k in (_kernel(x, x), _kernel(y, y)))
    return within - 2 * _kernel(x, y).mean()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def inception_score(probabilities: Tensor, splits: int = 10, seed: int = 0) -> tuple[float, float]:
    """Return the mean and the standard deviation of the Inception Score over ``splits`` groups of images.

    ``probabilities`` (N, K): for each of N images, the probability of each class. The images are shuffled and
    split into groups. The score of a group is exp E KL(p(y|x) || p(y)), from 1 to K. It is high if every
    image clearly belongs to one class and all classes are equally frequent.
    """
    order = torch.randperm(len(probabilities), generator=torch.Generator().manual_seed(seed))
    scores = torch.stack([_score(part) for part in probabilities.double()[order].tensor_split(splits)])
    return float(scores.mean()), float(scores.std(correction=0))


def _score(p: Tensor) -> Tensor:
    return (torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean().exp()


TITLES = {
    "fid": ("Fréchet distance (FID)", "lower"),
    "kid": ("kernel distance (KID)", "lower"),
    "precision": ("precision", "higher"),
    "recall": ("recall", "higher"),
    "density": ("density", "higher"),
    "coverage": ("coverage", "higher"),
    "inception_score": ("Inception Score", "higher"),
    "probe": ("linear probe: real and generated told apart", "near 0.5"),
}
"""The title of each metric, and whether lower or higher values are better."""
OF_EQUAL_SIZE = ("precision", "recall", "density", "coverage", "probe")
"""Metrics that compare two sets with the same number of images."""


def compare(
    generated: Features, real: Features, levels: Mapping[str, slice] | None = None
) -> dict[str, float]:
    """Return all metrics that the features allow, by name. ``NAME_std``: the standard deviation of ``NAME``.

    If ``levels`` of features are given, the kernel distance is the mean over the levels, and each level's
    kernel distance is returned too.
    """
    ours, theirs = generated.values, real.values
    found: dict[str, float] = {}
    if min(ours.shape[0], theirs.shape[0]) > ours.shape[1]:  # else the covariances do not have full rank
        found["fid"] = frechet_distance(ours, theirs)
    if levels:
        (found["kid"], found["kid_std"]), own = kernel_distance_by_level(ours, theirs, levels)
        found |= {_level_key(level): distance for level, distance in own.items()}
        found["probe"] = probe_accuracy(ours, theirs)
    else:
        found["kid"], found["kid_std"] = kernel_distance(ours, theirs)
    ours, theirs = _of_equal_size(ours, theirs)
    found["precision"], found["recall"] = precision_recall(ours, theirs)
    found["density"], found["coverage"] = density_coverage(ours, theirs)
    if generated.probabilities is not None:
        score = inception_score(generated.probabilities)
        found["inception_score"], found["inception_score_std"] = score
    return found


def _level_key(level: str) -> str:
    return f"kid_{level.replace(' ', '_')}"


def _of_equal_size(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return both sets with equally many rows: drops random rows of the larger set.

    The metrics of `OF_EQUAL_SIZE` depend on the sizes of both sets.
    """
    size = min(len(a), len(b))
    rows = [np.random.default_rng(0).permutation(len(x))[:size].tolist() for x in (a, b)]
    return a[rows[0]], b[rows[1]]


def comparison(context: Context) -> Measurement:
    """Compare the generated images with the test split by all metrics."""
    levels = context.network.levels
    generated = compare(context.generated_features, context.test_features, levels)
    real = compare(context.stand_in, context.test_features, levels)
    figures = {}
    titles = TITLES | {_level_key(level): (f"KID at {level}", "lower") for level in levels}
    for name, (title, better) in titles.items():
        if name == "kid" and levels:
            title = f"kernel distance (KID), mean of {len(levels)} levels"
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
