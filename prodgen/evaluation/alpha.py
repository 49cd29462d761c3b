"""Measures whether generated products cover as much of the picture as real products."""

import numpy as np
from numpy.typing import NDArray

from prodgen.evaluation.context import PIXELS, Context
from prodgen.evaluation.figure import Measurement


def transparency(context: Context) -> Measurement:
    """Compare the alpha coverage of generated and real images, if the model's images have transparency."""
    if context.model.config.channels != 4:
        return Measurement()
    generated = coverage(context.generated.images[: context.count])
    test = coverage(context.splits.test.images)
    stand_in = coverage(context.splits.train.images)[context.stand_in_rows]
    own = {"features": "the alpha channel", "resizer": PIXELS}
    figures = {
        "alpha_coverage": context.figure(
            "alpha coverage: mean share of the picture that is product",
            float(generated.mean()),
            float(test.mean()),
            "near real",
            **own,
        ),
        "alpha_coverage_distance": context.figure(
            "alpha coverage: Wasserstein-1 distance from the test split",
            wasserstein(generated, test),
            wasserstein(stand_in, test),
            "lower",
            stand_in_count=len(stand_in),
            **own,
        ),
    }
    return Measurement(figures)


def coverage(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean alpha of each image, (N,) in [0, 1], for ``images`` (N, H, W, 4)."""
    shares: NDArray[np.float64] = images[..., 3].mean((1, 2), dtype=np.float64) / 255.0
    return shares


def wasserstein(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the Wasserstein-1 distance of the numbers ``a`` (N,) and ``b`` (M,).

    The distance is the area between the distribution functions of the two sets (Vallender 1974).
    """
    points = np.sort(np.concatenate([a, b]))
    below_a, below_b = (np.searchsorted(np.sort(x), points[:-1], "right") / len(x) for x in (a, b))
    return float((np.abs(below_a - below_b) * np.diff(points)).sum())
