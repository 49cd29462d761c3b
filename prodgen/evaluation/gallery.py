"""The pictures of an evaluation."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.evaluation.memorisation import Memorisation
from prodgen.evaluation.pictures import Row, table_of_images
from prodgen.evaluation.reconstruction import Reconstruction
from prodgen.evaluation.scene import Scene
from prodgen.evaluation.splits import attributes_of
from prodgen.generation.encode import to_image

CLOSEST = 12
PAIRS, PAIR_ROWS = 4, 10


def neighbours(scene: Scene, found: Memorisation) -> Image.Image:
    """Generated images that lie near to a training image, each beside its nearest three."""
    title = (
        f"Of each {scene.first}, the generated images nearest to a training image, and what is near\n"
        f"The numbers are distances in the features of the {scene.network.name}.\n"
        f"1% of real test images lie within {found.threshold:.3g} of a training image, "
        f"half within {found.test_median:.3g}."
    )
    rows = []
    for k in _closest(found.distances[:, 0].numpy(), scene.generated.labels[scene.first]):
        near = [scene.splits.train.images[row] for row in found.rows[k].tolist()]
        rows.append(
            Row(
                " ".join(attributes_of(scene.generated, k).values()),
                [to_image(pixels) for pixels in (scene.generated.images[k], *near)],
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
        Row(" ".join(condition.values()), [to_image(pixels) for pixels in strip])
        for condition, strip in zip(conditions, images, strict=True)
    ]
    return table_of_images(title, headings, rows)


def reconstructions(found: Reconstruction, attribute: str) -> Image.Image:
    """The first four test images of up to ten values, each beside what the model made of it."""
    title = (
        "Real test images, each with the model's reconstruction to its right\n"
        "The model keeps only the latent and the attributes of the left, and draws the right from them."
    )
    rows = []
    for k, value in enumerate(found.originals.values[attribute][:PAIR_ROWS]):
        places = np.flatnonzero(found.originals.labels[attribute] == k)[:PAIRS]
        pairs = [(found.originals.images[i], found.images.images[i]) for i in places]
        rows.append(Row(value, [to_image(pixels) for pair in pairs for pixels in pair]))
    return table_of_images(title, ["real", "redrawn"] * PAIRS, rows)
