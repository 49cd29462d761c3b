"""Whether products have the colour that was asked for."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.pictures import Row, table_of_images
from prodgen.evaluation.pixels import picture, to_bytes
from prodgen.evaluation.samples import kinds
from prodgen.evaluation.scene import PIXELS, Findings, Scene
from prodgen.evaluation.splits import subset
from prodgen.generation.latents import latents
from prodgen.models.condition import encode
from prodgen.spec.attributes import ContinuousColour
from prodgen.spec.colour import delta_e_2000, mean_colours
from prodgen.spec.image import ImageRequest, resolve

NEAR = 8.0
"""By CIEDE2000: a colour that is called the same."""
SHOWN = (
    *("crimson", "coral", "gold", "olive", "forestgreen", "teal"),
    *("royalblue", "navy", "purple", "pink", "beige", "black"),
)


def fidelity(scene: Scene) -> Findings:
    """Of cut-outs of which a colour can be asked for: how far theirs is from it, and how twelve look."""
    if scene.model.config.channels != 4:
        return Findings()
    figures = {}
    for name in scene.splits.test.colours:
        ours = _distances(subset(scene.generated, slice(scene.count)), name)
        theirs = _distances(scene.splits.test, name)
        own = {
            "features": "mean colour of the product",
            "resizer": PIXELS,
            "real_count": len(theirs),
            "generated_count": len(ours),
        }
        measures: tuple[tuple[str, str, Callable[[NDArray[np.float64]], np.floating], str], ...] = (
            ("distance", f"mean distance from the {name} asked for (CIEDE2000)", np.mean, "lower"),
            ("near", f"share within {NEAR:g} of the {name} asked for (CIEDE2000)", _near, "higher"),
        )
        for key, title, measure, better in measures:
            ours_, theirs_ = (float(measure(d)) if len(d) else None for d in (ours, theirs))
            figures[f"{name}_{key}"] = scene.figure(title, ours_, theirs_, better, **own)
    return Findings(figures, {"colours.png": in_colours(scene)} if figures else {})


@torch.inference_mode()
def in_colours(scene: Scene) -> Image.Image:
    """A row for each value of the first choice, of at most ten: one latent, in twelve colours."""
    schema = scene.model.config.attributes
    name = next(a.name for a in schema.attributes if isinstance(a, ContinuousColour))
    of_each = kinds(schema)
    z = latents(scene.seed, range(len(of_each)), scene.model.config.latent_dim)
    rows = []
    for k, kind in enumerate(of_each):
        asked = [schema.parse({**kind, name: shown}) for shown in SHOWN]
        requests = [ImageRequest(k, scene.seed, k, {n: v for n, [v] in parsed.items()}) for parsed in asked]
        condition = encode(schema, [r.attributes for r in resolve(schema, requests)])
        images = scene.model.generator(
            z[k].expand(len(SHOWN), -1).to(scene.device), condition.to(scene.device)
        )
        rows.append(Row("".join(kind.values()), [picture(pixels) for pixels in to_bytes(images)]))
    title = "In any colour\nEach row is one latent with one set of attributes, but for the colour asked for."
    return table_of_images(title, SHOWN, rows)


def _distances(catalogue: Catalogue, name: str) -> NDArray[np.float64]:
    """Of the images of which both are known."""
    found = delta_e_2000(mean_colours(catalogue.images), catalogue.colours[name])
    return found[~np.isnan(found)]


def _near(distances: NDArray[np.float64]) -> np.floating:
    return np.mean(distances <= NEAR)
