"""The pictures of an evaluation."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.memorisation import Memorisation
from prodgen.evaluation.pictures import Row, table_of_images
from prodgen.evaluation.pixels import picture
from prodgen.evaluation.reconstruction import Reconstruction
from prodgen.evaluation.scene import Scene
from prodgen.evaluation.splits import attributes_of

CLOSEST = 12
PAIRS, PAIR_ROWS = 4, 10


def neighbours(scene: Scene, found: Memorisation) -> Image.Image:
    """Generated images that lie near to a training image, each beside its nearest three."""
    each = f"Of each {scene.first}, the" if scene.first else "The"
    title = (
        f"{each} generated images nearest to a training image, and what is near\n"
        f"The numbers are distances in the features of the {scene.network.name}.\n"
        f"1% of real test images lie within {found.threshold:.3g} of a training image, "
        f"half within {found.test_median:.3g}."
    )
    rows = []
    nearest = found.distances[:, 0].numpy()
    labels = scene.generated.labels[scene.first] if scene.first else np.zeros(len(nearest), np.int64)
    for k in _closest(nearest, labels):
        near = [scene.splits.train.images[row] for row in found.rows[k].tolist()]
        rows.append(
            Row(
                " ".join(attributes_of(scene.generated, k).values()),
                [picture(pixels) for pixels in (scene.generated.images[k], *near)],
                ["", *(f"{distance:.3g}" for distance in found.distances[k].tolist())],
            )
        )
    return table_of_images(title, ["generated", "nearest", "second", "third"], rows, blocks=2)


def _closest(distances: NDArray[np.float64], labels: NDArray[np.int64]) -> list[int]:
    """Twelve images: the nearest of every label first, lest the plainest product fill the picture."""
    order = np.argsort(distances, kind="stable")
    seen: Counter[int] = Counter()
    place = {}
    for k in order.tolist():
        place[k] = seen[int(labels[k])]
        seen[int(labels[k])] += 1
    return sorted(order.tolist(), key=place.__getitem__)[:CLOSEST]


def interpolation(conditions: Sequence[dict[str, str]], images: NDArray[np.uint8]) -> Image.Image:
    """bytes (rows, steps, H, W, C): a row a condition, its ends two images of an order."""
    title = (
        "From one latent to another, the attributes kept\n"
        "Each row starts and ends with two generated images; between them the latent moves along an arc."
    )
    steps = images.shape[1]
    headings = ["start", *(f"{k}/{steps - 1}" for k in range(1, steps - 1)), "end"]
    rows = [
        Row(" ".join(condition.values()), [picture(pixels) for pixels in strip])
        for condition, strip in zip(conditions, images, strict=True)
    ]
    return table_of_images(title, headings, rows)


def reconstructions(found: Reconstruction, attribute: str | None) -> Image.Image:
    """Test images, each beside what the model made of it: four of up to ten values, or forty of no kind."""
    title = (
        "Real test images, each with the model's reconstruction to its right\n"
        "The model keeps only the latent and the attributes of the left, and draws the right from them."
    )
    rows = []
    for name, places in _chosen(found.originals, attribute):
        pairs = [(found.originals.images[i], found.images.images[i]) for i in places[:PAIRS]]
        rows.append(Row(name, [picture(pixels) for pair in pairs for pixels in pair]))
    return table_of_images(title, ["real", "redrawn"] * PAIRS, rows)


def _chosen(images: Catalogue, attribute: str | None) -> list[tuple[str, NDArray[np.int64]]]:
    """For each row its label, and the images that it may show."""
    if attribute is None:
        places = np.arange(min(len(images), PAIRS * PAIR_ROWS))
        return [("", places[k : k + PAIRS]) for k in range(0, len(places), PAIRS)]
    values = images.values[attribute][:PAIR_ROWS]
    return [(value, np.flatnonzero(images.labels[attribute] == k)) for k, value in enumerate(values)]
