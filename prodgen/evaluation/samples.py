"""Generates images for an evaluation, in the same way as the images of an order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.context import Context
from prodgen.evaluation.figure import Measurement
from prodgen.evaluation.pixels import picture, premultiplied
from prodgen.evaluation.splits import attributes_of
from prodgen.generation.encode import decode
from prodgen.generation.engine import Engine, Request
from prodgen.generation.sheet import contact_sheet
from prodgen.models import SavedModel
from prodgen.spec.attributes import AttributeSchema, ContinuousColour
from prodgen.spec.colour import to_lab
from prodgen.spec.order import ImageRequest, resolve_attributes

PER_VALUE = 8
"""Number of images of each value on a sample sheet."""
MAX_VALUES = 10
"""Maximum number of values that a picture shows. Each value has a row."""


def one_of_each(schema: AttributeSchema) -> list[dict[str, str]]:
    """Return a request for each value of the first `Choice` (at most ten), or ten empty requests."""
    choices = schema.choices[:1]
    return [{c.name: value} for c in choices for value in c.values[:MAX_VALUES]] or [{}] * MAX_VALUES


def sample_sheet(
    model: SavedModel, attribute: str | None, values: Sequence[str], seed: int, device: str
) -> Image.Image:
    """Return a sheet with eight unselected images per value, or with 64 if ``attribute`` is None."""
    asked = (
        [{attribute: value} for value in values for _ in range(PER_VALUE)]
        if attribute
        else [{}] * PER_VALUE**2
    )
    made = generate_images(model, asked, seed, device)
    labels = ["".join(attributes.values()) for attributes in asked]
    return contact_sheet([picture(pixels) for pixels in made.images], labels, 64, columns=PER_VALUE)


def sampled(context: Context) -> Measurement:
    """Return a sheet of unselected images of each value of the main attribute. This measure has no figure."""
    attribute = context.main_attribute
    values = context.splits.train.values[attribute] if attribute else ()
    sheet = sample_sheet(context.model, attribute, values, context.seed, context.device)
    return Measurement(pictures={"samples.png": sheet})


def generate_like(model: SavedModel, real: Catalogue, count: int, seed: int, device: str) -> Catalogue:
    """Generate ``count`` images, each with the known attributes of a random image of ``real``.

    Combinations of attributes are therefore about as frequent as in ``real``. Unknown attributes are drawn at
    random.
    """
    rows = np.random.default_rng(seed).integers(len(real), size=count)
    return generate_images(model, [attributes_of(real, row) for row in rows], seed, device)


def generate_images(model: SavedModel, asked: Sequence[dict[str, str]], seed: int, device: str) -> Catalogue:
    """Generate an image for each entry of ``asked``, the requested attributes of one image.

    The catalogue has the requested labels and colours. Attributes that an entry omits are drawn at random.
    Images of four channels are premultiplied. The engine is not tuned, because tuning depends on the load of
    the machine and may change a pixel by one level, which is enough to train another classifier.
    """
    schema = model.config.attributes
    requests = resolve_attributes(schema, [ImageRequest(k, seed, k, a) for k, a in enumerate(asked)])
    shape = (len(asked), model.config.size, model.config.size, model.config.channels)
    images = np.empty(shape, np.uint8)
    with Engine(device) as engine:
        for k, file in enumerate(engine.submit(Request(model, requests))):
            pixels = decode(file)[..., : shape[3]]  # a grey product before a coloured ground has 3 channels
            images[k] = premultiplied(pixels)
    labels = {
        a.name: np.array([a.values.index(r.attributes[a.name]) for r in requests], np.int64)
        for a in schema.choices
    }
    continuous = [a.name for a in schema.attributes if isinstance(a, ContinuousColour)]
    colours = {name: _lab([r.attributes[name] for r in requests]) for name in continuous}
    return Catalogue(images, labels, {a.name: a.values for a in schema.choices}, colours)


def _lab(colours: Sequence[str]) -> NDArray[np.float32]:
    """Return N colours of the form #rrggbb as CIELAB (N, 3)."""
    levels = np.frombuffer(bytes.fromhex("".join(colour[1:] for colour in colours)), np.uint8)
    return to_lab(levels.reshape(-1, 3)).astype(np.float32)
