"""Measures whether generated products have the colour that was requested."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.context import PIXELS, Context
from prodgen.evaluation.figure import Measurement
from prodgen.evaluation.image_table import Row, image_table
from prodgen.evaluation.pixels import picture, to_bytes
from prodgen.evaluation.samples import one_of_each
from prodgen.evaluation.splits import subset
from prodgen.generation.latents import latents
from prodgen.models.condition import encode
from prodgen.spec.attributes import ContinuousColour
from prodgen.spec.colour import delta_e_2000, mean_colours
from prodgen.spec.order import ImageRequest, resolve_attributes

NEAR = 8.0
"""CIEDE2000 distance up to which people call two colours the same."""
SHOWN = (
    *("crimson", "coral", "gold", "olive", "forestgreen", "teal"),
    *("royalblue", "navy", "purple", "pink", "beige", "black"),
)


def colour_fidelity(context: Context) -> Measurement:
    """Measure the distance of products from the requested colour, if the model has colours and alpha."""
    if context.model.config.channels != 4:
        return Measurement()
    figures = {}
    for name in context.splits.test.colours:
        generated = _distances(subset(context.generated, slice(context.count)), name)
        real = _distances(context.splits.test, name)
        own = {
            "features": "mean colour of the product",
            "resizer": PIXELS,
            "real_count": len(real),
            "generated_count": len(generated),
        }
        measures: tuple[tuple[str, str, Callable[[NDArray[np.float64]], np.floating], str], ...] = (
            ("distance", f"mean distance from the requested {name} (CIEDE2000)", np.mean, "lower"),
            ("near", f"share within {NEAR:g} of the requested {name} (CIEDE2000)", _near, "higher"),
        )
        for key, title, measure, better in measures:
            values = (float(measure(d)) if len(d) else None for d in (generated, real))
            figures[f"{name}_{key}"] = context.figure(title, *values, better, **own)
    return Measurement(figures, {"colours.png": _in_colours(context)} if figures else {})


@torch.inference_mode()
def _in_colours(context: Context) -> Image.Image:
    """Return a picture. Each row shows one latent in twelve colours, for a value of `one_of_each`."""
    schema = context.model.config.attributes
    name = next(a.name for a in schema.attributes if isinstance(a, ContinuousColour))
    values = one_of_each(schema)
    z = latents(context.seed, range(len(values)), context.model.config.latent_dim)
    rows = []
    for k, value in enumerate(values):
        parsed = [schema.parse({**value, name: colour}) for colour in SHOWN]
        requests = [ImageRequest(k, context.seed, k, {n: v for n, [v] in p.items()}) for p in parsed]
        condition = encode(schema, [r.attributes for r in resolve_attributes(schema, requests)])
        images = context.model.generator(
            z[k].expand(len(SHOWN), -1).to(context.device), condition.to(context.device)
        )
        rows.append(Row("".join(value.values()), [picture(pixels) for pixels in to_bytes(images)]))
    title = f"The same products in twelve colours\nIn each row only the requested {name} differs."
    return image_table(title, SHOWN, rows)


def _distances(catalogue: Catalogue, name: str) -> NDArray[np.float64]:
    """Return the distance of each product from its colour label. Omits images without product or label."""
    found = delta_e_2000(mean_colours(catalogue.images), catalogue.colours[name])
    return found[~np.isnan(found)]


def _near(distances: NDArray[np.float64]) -> np.floating:
    return np.mean(distances <= NEAR)
