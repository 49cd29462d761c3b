"""Measures whether the model repeats its training images."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from prodgen.evaluation.context import Context, Measurement
from prodgen.evaluation.neighbours import nearest
from prodgen.evaluation.pictures import Row, image_table, picture
from prodgen.evaluation.splits import attributes_of

NEIGHBOURS = 3
SHOWN = 12
ROUNDING = 1e-4
"""Two images with at most this distance are copies of each other.

The unit is the median distance between test images and their nearest training images.
"""


@dataclass(frozen=True)
class Memorisation:
    """Distances of generated images, and of real test images, to their nearest training images.

    ``threshold``: 1% of the test images that are not copies of training images have at most this distance.
    ``share`` and ``test_share``: the shares of generated and of test images with at most this distance.
    ``median`` and ``test_median``: the median distances. ``distances`` and ``rows``, (N, 3): distances and
    row numbers of the three training images nearest to each generated image.
    """

    threshold: float
    share: float
    test_share: float
    median: float
    test_median: float
    distances: Tensor
    rows: Tensor


def memorisation(generated: Tensor, test: Tensor, train: Tensor) -> Memorisation:
    """Compare features of generated (N, D) and test images (M, D) with features of training images (L, D)."""
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


def memorised(context: Context) -> Measurement:
    """Measure whether generated images lie nearer to training images than test images do."""
    found = memorisation(
        context.generated_features.values, context.test_features.values, context.train_features.values
    )
    title = f"share within {found.threshold:.3g} of a training image"
    figures = {
        "memorised_share": context.figure(title, found.share, found.test_share, "not above real"),
        "nearest_median": context.figure(
            "median distance to the nearest training image", found.median, found.test_median, "near real"
        ),
    }
    return Measurement(figures, {"neighbours.png": _picture(context, found)})


def _picture(context: Context, found: Memorisation) -> Image.Image:
    attribute = context.main_attribute
    each = f", some of each {attribute}," if attribute else ""
    title = (
        f"The generated images nearest to a training image{each} beside their nearest training images\n"
        f"The numbers are distances in the features of the {context.network.name}.\n"
        f"1% of real test images lie within {found.threshold:.3g} of a training image, "
        f"half of them within {found.test_median:.3g}."
    )
    distances = found.distances[:, 0].numpy()
    labels = context.generated.labels[attribute] if attribute else np.zeros(len(distances), np.int64)
    rows = []
    for k in _closest(distances, labels):
        near = [context.splits.train.images[row] for row in found.rows[k].tolist()]
        rows.append(
            Row(
                " ".join(attributes_of(context.generated, k).values()),
                [picture(pixels) for pixels in (context.generated.images[k], *near)],
                ["", *(f"{distance:.3g}" for distance in found.distances[k].tolist())],
            )
        )
    return image_table(title, ["generated", "nearest", "second", "third"], rows, blocks=2)


def _closest(distances: NDArray[np.float64], labels: NDArray[np.int64]) -> list[int]:
    """Return the row numbers of up to twelve generated images to show.

    The image nearest to a training image comes first for each label, then the second of each label, and so
    on.
    """
    order = np.argsort(distances, kind="stable").tolist()
    ranks: defaultdict[int, count[int]] = defaultdict(count)
    rank = {k: next(ranks[int(labels[k])]) for k in order}
    return sorted(order, key=rank.__getitem__)[:SHOWN]
