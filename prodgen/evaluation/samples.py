"""Generates images for an evaluation, in the same way as for an order, and shows some of them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.context import Context, Measurement
from prodgen.evaluation.pictures import Row, image_table, picture, premultiplied, to_bytes
from prodgen.evaluation.splits import attributes_of
from prodgen.generation.encode import decode
from prodgen.generation.engine import Engine
from prodgen.generation.forward import latents, mix_latents
from prodgen.generation.request import NO_FINISH, Request
from prodgen.generation.sheet import contact_sheet
from prodgen.models import SavedModel
from prodgen.models.condition import encode
from prodgen.spec.attributes import AttributeSchema, ContinuousColour
from prodgen.spec.colour import levels, to_lab
from prodgen.spec.finish import Finish
from prodgen.spec.order import ImageRequest, resolve_attributes

PER_VALUE = 8
"""Number of images of each value on a sample sheet."""
MAX_VALUES = 10
"""Maximum number of values that a picture shows. Each value has a row."""


def one_of_each(schema: AttributeSchema) -> list[dict[str, str]]:
    """Return the attributes to request for one image of each value of the first `Choice`, at most ten.

    Returns ten empty requests if the schema has no `Choice`.
    """
    choices = schema.choices[:1]
    return [{c.name: value} for c in choices for value in c.values[:MAX_VALUES]] or [{}] * MAX_VALUES


def sample_sheet(
    model: SavedModel, attribute: str | None, values: Sequence[str], seed: int, device: str
) -> Image.Image:
    """Return a sheet with eight unselected images for each of ``values`` of ``attribute``.

    If ``attribute`` is None, the sheet has 64 images.
    """
    asked = (
        [{attribute: value} for value in values for _ in range(PER_VALUE)]
        if attribute
        else [{}] * PER_VALUE**2
    )
    made = generate_images(model, asked, seed, device)
    labels = ["".join(attributes.values()) for attributes in asked]
    return contact_sheet([picture(pixels) for pixels in made.images], labels, 64, columns=PER_VALUE)


def sampled(context: Context) -> Measurement:
    """Return a sheet of unselected images for each value of the main attribute. Returns no figure."""
    attribute = context.main_attribute
    values = context.splits.train.values[attribute] if attribute else ()
    sheet = sample_sheet(context.model, attribute, values, context.seed, context.device)
    return Measurement(pictures={"samples.png": sheet})


def generate_like(
    model: SavedModel,
    real: Catalogue,
    count: int,
    seed: int,
    device: str,
    made: Callable[[int, int], None] | None = None,
) -> Catalogue:
    """Generate ``count`` images, each with the known attributes of a random image of ``real``.

    Calls ``made`` with the number of images that are finished and the number of all images.
    """
    rows = np.random.default_rng(seed).integers(len(real), size=count)
    return generate_images(model, [attributes_of(real, row) for row in rows], seed, device, made)


def generate_images(
    model: SavedModel,
    asked: Sequence[dict[str, str]],
    seed: int,
    device: str,
    made: Callable[[int, int], None] | None = None,
    finish: Finish = NO_FINISH,
) -> Catalogue:
    """Generate an image for each entry of ``asked``, the requested attributes of the image.

    Attributes that an entry omits are drawn at random. ``finish`` must keep the size and the background.
    Calls ``made`` with the number of images that are finished and the number of all images. Images of four
    channels are premultiplied. The engine is not tuned: tuning may change a pixel by one level, which is
    enough to train another classifier.
    """
    schema = model.config.attributes
    requests = resolve_attributes(schema, [ImageRequest(k, seed, k, a) for k, a in enumerate(asked)])
    shape = (len(asked), model.config.size, model.config.size, model.config.channels)
    images = np.empty(shape, np.uint8)
    with Engine(device) as engine:
        for k, file in enumerate(engine.submit(Request(model, requests, finish=finish))):
            pixels = decode(file)[..., : shape[3]]  # a grey product before a coloured ground has 3 channels
            images[k] = premultiplied(pixels)
            if made:
                made(k + 1, len(asked))
    labels = {
        a.name: np.array([a.values.index(r.attributes[a.name]) for r in requests], np.int64)
        for a in schema.choices
    }
    continuous = [a.name for a in schema.attributes if isinstance(a, ContinuousColour)]
    colours = {
        name: to_lab(np.array([levels(r.attributes[name]) for r in requests], np.uint8)).astype(np.float32)
        for name in continuous
    }
    return Catalogue(images, labels, {a.name: a.values for a in schema.choices}, colours)


STEPS = 9


@torch.inference_mode()
def interpolations(
    model: SavedModel, seed: int, device: str = "cpu"
) -> tuple[list[dict[str, str]], NDArray[np.uint8]]:
    """Return the attributes of each row of images, and the images (rows, 9, H, W, C) in bytes.

    There is a row for each request of `one_of_each`. From left to right, the latent of a row moves from one
    random latent to another.
    """
    schema = model.config.attributes
    asked = one_of_each(schema)
    resolved = resolve_attributes(schema, [ImageRequest(k, seed, k, a) for k, a in enumerate(asked)])
    attributes = [request.attributes for request in resolved]
    ends = latents(seed, range(2 * len(asked)), model.config.latent_dim)
    shares = [k / (STEPS - 1) for k in range(STEPS)]
    rows = [
        model.generator(
            mix_latents(a.expand(STEPS, -1), b.expand(STEPS, -1), shares).to(device),
            encode(schema, [c] * STEPS).to(device),
        )
        for a, b, c in zip(ends[::2], ends[1::2], attributes, strict=True)
    ]
    return attributes, np.stack([to_bytes(row) for row in rows])


def interpolated(context: Context) -> Measurement:
    """Return a picture whose rows show images between two latents. Returns no figure."""
    attributes, images = interpolations(context.model, context.seed, context.device)
    title = (
        "From one latent to another with the same attributes\n"
        "Each row starts and ends with a generated image; between them the latent moves along an arc."
    )
    headings = ["start", *(f"{k}/{STEPS - 1}" for k in range(1, STEPS - 1)), "end"]
    rows = [
        Row(" ".join(values.values()), [picture(pixels) for pixels in row])
        for values, row in zip(attributes, images, strict=True)
    ]
    return Measurement(pictures={"interpolation.png": image_table(title, headings, rows)})
