"""Generated images, made just as an order's are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.pixels import picture, premultiplied
from prodgen.evaluation.splits import attributes_of
from prodgen.generation.encode import decode
from prodgen.generation.engine import Engine, Request
from prodgen.generation.sheet import contact_sheet
from prodgen.models import SavedModel
from prodgen.spec.attributes import AttributeSchema, ContinuousColour
from prodgen.spec.colour import to_lab
from prodgen.spec.image import ImageRequest, resolve

EACH = 8
"""Images of each value on a sheet."""
MOST = 10
"""Values that are shown where each takes a row."""


def kinds(schema: AttributeSchema) -> list[dict[str, str]]:
    """What to ask for to see each value of the first choice, of ten at most; without one, ten of any."""
    return [{c.name: value} for c in schema.choices[:1] for value in c.values[:MOST]] or [{}] * MOST


def sample_sheet(
    model: SavedModel, attribute: str | None, values: Sequence[str], seed: int, device: str
) -> Image.Image:
    """A row of eight images of every value of an attribute, none of them chosen; eight rows without one."""
    asked = [{attribute: value} for value in values for _ in range(EACH)] if attribute else [{}] * EACH**2
    made = generate_asked(model, asked, seed, device)
    labels = ["".join(wanted.values()) for wanted in asked]
    return contact_sheet([picture(pixels) for pixels in made.images], labels, 64, columns=EACH)


def generate(model: SavedModel, real: Catalogue, count: int, seed: int, device: str) -> Catalogue:
    """The first ``count`` images of ``seed``, each of what some image of ``real`` is known to be.

    So attributes come together as they do there; what is not known of that image is drawn.
    """
    rows = np.random.default_rng(seed).integers(len(real), size=count)
    return generate_asked(model, [attributes_of(real, row) for row in rows], seed, device)


def generate_asked(model: SavedModel, asked: Sequence[dict[str, str]], seed: int, device: str) -> Catalogue:
    """An image of each entry, what it leaves out drawn; labels and colours are what was asked for.

    Transparent products are premultiplied, as they are in a catalogue.

    The engine is not tuned: tuning follows the load of the moment, and with it a pixel may differ by a level,
    which would teach a classifier something else every time.
    """
    schema = model.config.attributes
    requests = resolve(schema, [ImageRequest(k, seed, k, a) for k, a in enumerate(asked)])
    shape = (len(asked), model.config.size, model.config.size, model.config.channels)
    images = np.empty(shape, np.uint8)
    with Engine(device) as engine:
        for k, file in enumerate(engine.submit(Request(model, requests))):
            pixels = decode(file)[..., : shape[3]]  # grey before a coloured ground has three alike
            images[k] = premultiplied(pixels)
    labels = {
        a.name: np.array([a.values.index(r.attributes[a.name]) for r in requests], np.int64)
        for a in schema.choices
    }
    continuous = [a.name for a in schema.attributes if isinstance(a, ContinuousColour)]
    colours = {name: _lab([r.attributes[name] for r in requests]) for name in continuous}
    return Catalogue(images, labels, {a.name: a.values for a in schema.choices}, colours)


def _lab(colours: Sequence[str]) -> NDArray[np.float32]:
    """``#rrggbb`` of N images -> CIELAB (N, 3)."""
    levels = np.frombuffer(bytes.fromhex("".join(colour[1:] for colour in colours)), np.uint8)
    return to_lab(levels.reshape(-1, 3)).astype(np.float32)
