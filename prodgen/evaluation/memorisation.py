"""Whether the generator repeats its training images: how near the nearest of them lies."""

from dataclasses import dataclass

from torch import Tensor

from prodgen.evaluation.neighbours import nearest

NEIGHBOURS = 3
ROUNDING = 1e-4
"""As a share of the median distance: how far apart a network may see two copies."""


@dataclass(frozen=True)
class Memorisation:
    """Distances in feature space, beside those of real test images, which nobody has memorised.

    ``threshold``: within which the nearest 1% of test images have a training image, those left out that are
    copies of one, as some catalogues have. ``share``: of generated images within it, ``test_share``: of test
    images. ``median`` and ``test_median``: of the distances to the nearest training image. ``distances`` and
    ``rows``: the nearest training images of each generated one, (N, 3) each.
    """

    threshold: float
    share: float
    test_share: float
    median: float
    test_median: float
    distances: Tensor
    rows: Tensor


def memorisation(generated: Tensor, test: Tensor, train: Tensor) -> Memorisation:
    """Features (N, D), (M, D) and (L, D)."""
    distances, rows = nearest(generated, train, min(NEIGHBOURS, len(train)))
    ours, theirs = distances[:, 0], nearest(test, train, 1)[0][:, 0]
    originals = theirs[theirs > ROUNDING * theirs.median()]
    threshold = float(originals.quantile(0.01)) if len(originals) else 0.0
    return Memorisation(
        threshold=threshold,
        share=float((ours <= threshold).double().mean()),
        test_share=float((theirs <= threshold).double().mean()),
        median=float(ours.median()),
        test_median=float(theirs.median()),
        distances=distances.cpu(),
        rows=rows.cpu(),
    )
