"""Whether products have the colour that was asked for."""

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import Catalogue
from prodgen.colour import delta_e_2000, to_lab
from prodgen.evaluation.scene import PIXELS, Findings, Scene
from prodgen.evaluation.splits import subset

BATCH = 100


def mean_colours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Premultiplied bytes (N, H, W, 4) -> each product's mean CIELAB colour, weighted by alpha, (N, 3).

    It is NaN where there is no product.
    """
    parts = [_means(images[k : k + BATCH].astype(np.float64)) for k in range(0, len(images), BATCH)]
    return np.concatenate(parts)


def _means(images: NDArray[np.float64]) -> NDArray[np.float64]:
    colour, alpha = images[..., :3], images[..., 3:]
    lab = to_lab(np.minimum(colour / np.maximum(alpha, 1.0), 1.0))
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = (lab * alpha).sum((1, 2)) / alpha.sum((1, 2))
    return means


def fidelity(scene: Scene) -> Findings:
    """Of cut-outs of which a colour can be asked for: how far theirs is from it."""
    if scene.model.config.channels != 4:
        return Findings()
    figures = {}
    for name in scene.splits.test.colours:
        ours = _distances(subset(scene.generated, slice(scene.count)), name)
        theirs = _distances(scene.splits.test, name)
        figures[f"{name}_distance"] = scene.figure(
            f"median distance from the {name} asked for (CIEDE2000)",
            _median(ours),
            _median(theirs),
            "lower",
            features="mean colour of the product",
            resizer=PIXELS,
            real_count=len(theirs),
            generated_count=len(ours),
        )
    return Findings(figures)


def _distances(catalogue: Catalogue, name: str) -> NDArray[np.float64]:
    """Of the images of which both are known."""
    found = delta_e_2000(mean_colours(catalogue.images), catalogue.colours[name])
    return found[~np.isnan(found)]


def _median(distances: NDArray[np.float64]) -> float | None:
    return float(np.median(distances)) if len(distances) else None
