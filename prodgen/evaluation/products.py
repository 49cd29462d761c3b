"""Measures of transparent products: their share of the picture, and the error of their colour."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.context import PIXELS, Context, Figure, Measurement
from prodgen.evaluation.pictures import Row, image_table, picture, to_bytes
from prodgen.evaluation.samples import generate_images, one_of_each
from prodgen.evaluation.splits import subset
from prodgen.generation.forward import latents
from prodgen.generation.request import NO_FINISH
from prodgen.models.condition import encode
from prodgen.spec.attributes import ContinuousColour
from prodgen.spec.colour import delta_e_2000, mean_colours, parse_colour
from prodgen.spec.finish import Finish
from prodgen.spec.order import ImageRequest, resolve_attributes

COMMON_NAMES = (
    *("black", "white", "gray", "silver", "red", "maroon", "pink", "orange"),
    *("yellow", "olive", "green", "forest green", "teal", "blue", "navy", "purple"),
)
PER_NAME = 16
"""Number of images that are made for each common name of a colour."""


def transparency(context: Context) -> Measurement:
    """Compare the alpha coverage of generated and real images.

    Returns no figures if the model's images have no transparency.
    """
    if context.model.config.channels != 4:
        return Measurement()
    generated = coverage(context.generated.images[: context.count])
    test = coverage(context.splits.test.images)
    stand_in = coverage(context.splits.train.images)[context.stand_in_rows]
    own = {"features": "the alpha channel", "resizer": PIXELS}
    title = "alpha coverage: mean share of the picture that is product"
    mean = context.figure(title, float(generated.mean()), float(test.mean()), "near real", **own)
    title, own["stand_in_count"] = "alpha coverage: Wasserstein-1 distance from the test split", len(stand_in)
    values = wasserstein(generated, test), wasserstein(stand_in, test)
    distance = context.figure(title, *values, "lower", **own)
    return Measurement({"alpha_coverage": mean, "alpha_coverage_distance": distance})


def coverage(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean alpha of each image, (N,) in [0, 1], for ``images`` (N, H, W, 4)."""
    return images[..., 3].mean((1, 2), dtype=np.float64) / 255.0


def wasserstein(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the Wasserstein-1 distance between the sets of numbers ``a`` (N,) and ``b`` (M,).

    The distance is the area between the distribution functions of the two sets (Vallender 1974).
    """
    points = np.sort(np.concatenate([a, b]))
    below_a, below_b = (np.searchsorted(np.sort(x), points[:-1], "right") / len(x) for x in (a, b))
    return float((np.abs(below_a - below_b) * np.diff(points)).sum())


NEAR = 8.0
"""CIEDE2000 distance up to which people call two colours the same."""
SHOWN = (
    *("crimson", "coral", "gold", "olive", "forestgreen", "teal"),
    *("royalblue", "navy", "purple", "pink", "beige", "black"),
)


def colour_fidelity(context: Context) -> Measurement:
    """Measure the distance between the products' colours and the requested colours.

    Returns no figures if the model has no colours or no transparency.
    """
    if context.model.config.channels != 4:
        return Measurement()
    figures = {}
    for name in context.splits.test.colours:
        generated = _distances(subset(context.generated, slice(context.count)), name)
        real = _distances(context.splits.test, name)
        counts = {"real_count": len(real), "generated_count": len(generated)}
        own = {"features": "mean colour of the product", "resizer": PIXELS, **counts}
        means = [_mean(distances) for distances in (generated, real)]
        title = f"mean distance from the requested {name} (CIEDE2000)"
        figures[f"{name}_distance"] = context.figure(title, *means, "lower", **own)
        shares = [_mean(distances <= NEAR) for distances in (generated, real)]
        title = f"share within {NEAR:g} of the requested {name} (CIEDE2000)"
        figures[f"{name}_near"] = context.figure(title, *shares, "higher", **own)
        figures |= named_colours(context, name)
    return Measurement(figures, {"colours.png": _in_colours(context)} if figures else {})


def named_colours(context: Context, name: str) -> dict[str, Figure]:
    """Request sixteen common colour names of CSS for the attribute ``name``; measure the products' distance.

    Measures the products as the model draws them, and with the finish ``exact_colour``. Returns a figure of
    each.
    """
    asked = [{name: parse_colour(colour)} for colour in COMMON_NAMES for _ in range(PER_NAME)]
    figures = {}
    for key, title, finish in (
        (f"{name}_named", "mean distance from sixteen common names (CIEDE2000)", NO_FINISH),
        (f"{name}_exact", "the same with the finish exact_colour", Finish(exact_colour=True)),
    ):
        made = generate_images(context.model, asked, context.seed, context.device, finish=finish)
        found = delta_e_2000(mean_colours(made.images), made.colours[name]).reshape(-1, PER_NAME)
        rows = zip(COMMON_NAMES, found, strict=True)
        figures[key] = context.figure(
            title,
            _mean(found[~np.isnan(found)]),
            None,
            "lower",
            features="mean colour of the product",
            resizer=PIXELS,
            real_count=0,
            generated_count=len(asked),
            attribute=name,
            by_class={colour: (_mean(row[~np.isnan(row)]), None) for colour, row in rows},
        )
    return figures


@torch.inference_mode()
def _in_colours(context: Context) -> Image.Image:
    """Return a picture of products in twelve colours.

    Each row shows one latent and one value of the first choice attribute, if there is one.
    """
    schema = context.model.config.attributes
    name = next(a.name for a in schema.attributes if isinstance(a, ContinuousColour))
    values = one_of_each(schema)
    z = latents(context.seed, range(len(values)), context.model.config.latent_dim)
    rows = []
    for k, value in enumerate(values):
        parsed = [schema.parse({**value, name: colour}) for colour in SHOWN]
        requests = [ImageRequest(k, context.seed, k, {n: v for n, [v] in p.items()}) for p in parsed]
        condition = encode(schema, [r.attributes for r in resolve_attributes(schema, requests)])
        latent = z[k].expand(len(SHOWN), -1).to(context.device)
        images = context.model.generator(latent, condition.to(context.device))
        rows.append(Row("".join(value.values()), [picture(pixels) for pixels in to_bytes(images)]))
    title = f"The same products in twelve colours\nIn each row only the requested {name} differs."
    return image_table(title, SHOWN, rows)


def _distances(catalogue: Catalogue, name: str) -> NDArray[np.float64]:
    """Return the distance of each product from its colour label. Omits images without product or label."""
    found = delta_e_2000(mean_colours(catalogue.images), catalogue.colours[name])
    return found[~np.isnan(found)]


def _mean(numbers: NDArray[np.generic]) -> float | None:
    return float(numbers.mean()) if len(numbers) else None
