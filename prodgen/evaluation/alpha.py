"""Transparency: whether generated products cover as much of the picture as real ones do."""

import numpy as np
from numpy.typing import NDArray

from prodgen.evaluation.scene import PIXELS, Findings, Scene


def coverage(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Bytes (N, H, W, 4) -> the mean of each image's alpha, (N,) in [0, 1]."""
    shares: NDArray[np.float64] = images[..., 3].mean((1, 2), dtype=np.float64) / 255.0
    return shares


def wasserstein(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Numbers (N,) and (M,) -> the Wasserstein-1 distance: how far one set has to be moved, on average, to
    become the other. It is the area between their distribution functions (Vallender 1974)."""
    places = np.sort(np.concatenate([a, b]))
    below_a, below_b = (np.searchsorted(np.sort(x), places[:-1], "right") / len(x) for x in (a, b))
    return float((np.abs(below_a - below_b) * np.diff(places)).sum())


def transparency(scene: Scene) -> Findings:
    """Of models of four channels: how much of the picture their products cover, and how that varies."""
    if scene.model.config.channels != 4:
        return Findings()
    ours, test = coverage(scene.generated.images[: scene.count]), coverage(scene.splits.test.images)
    stand_in = coverage(scene.splits.train.images)[scene.stand_in_rows]
    own = {"features": "the alpha channel", "resizer": PIXELS}
    figures = {
        "alpha_coverage": scene.figure(
            "alpha coverage: mean share of the picture that is product",
            float(ours.mean()),
            float(test.mean()),
            "near real",
            **own,
        ),
        "alpha_coverage_distance": scene.figure(
            "alpha coverage: distance of its distribution from the real one's (Wasserstein-1)",
            wasserstein(ours, test),
            wasserstein(stand_in, test),
            "lower",
            stand_in_count=len(stand_in),
            **own,
        ),
    }
    return Findings(figures)
