"""A mix of two images is made again as any image is; its ends are the two images themselves."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.generation.forward import latents, mix_latents
from prodgen.generation.request import manifest_line
from prodgen.generation.verify import verify
from prodgen.pipeline import Pipeline
from prodgen.spec.manifest import read_lines, write_lines
from prodgen.spec.order import Mix
from prodgen.spec.provenance import read_provenance
from tests.generation.asking import opened, pixels, request, worst


def test_a_mix_is_verified_and_its_ends_are_the_two_images(engine, toy):
    asked = request(toy, 3)
    first, _, last = asked.images
    other = Mix(seed=7, draw=2, attributes=last.attributes)
    mixes = [replace(first, index=k, mix=other.model_copy(update={"share": k / 2})) for k in range(3)]
    mixed = replace(asked, images=[asked.images[1], *mixes])
    files = list(engine.submit(mixed))
    got = opened(files)
    assert worst(got[[1, 3]], pixels(toy, [first, last])) <= 1
    assert worst(got[2:3], got[1:2]) > 1
    assert worst(got[2:3], got[3:4]) > 1
    assert read_provenance(io.BytesIO(files[2])).recipe["mix"] == {
        "seed": 7,
        "draw": 2,
        "attributes": last.attributes,
    }
    lines = [manifest_line(mixed, image, data) for image, data in zip(mixed.images, files, strict=True)][1:]
    stored = {line.file: data for line, data in zip(lines, files[1:], strict=True)}
    read = list(read_lines(write_lines(lines)))
    assert [finding.fault for finding in verify(read, stored.get, toy, engine)] == [None] * 3


def test_latents_between_two_are_as_long_as_they_are():
    a, b = latents(1, range(100), 96), latents(2, range(100), 96)
    middle = mix_latents(a, b, [0.5] * 100)
    lengths = middle.norm(dim=1) / ((a.norm(dim=1) + b.norm(dim=1)) / 2)
    assert lengths.min() > 0.95
    assert (mix_latents(a, a, [0.3] * 100) - a).abs().max() < 1e-6


@pytest.mark.parametrize("format", ["png", "webp", "gif"])
def test_a_morph_leads_from_one_image_to_the_other_and_says_how_it_was_made(engine, toy, format):
    pipeline = Pipeline(toy, engine)
    made = pipeline(count=2, seed=5)
    data = pipeline.morph(*made.manifest, steps=4, format=format)
    assert data == pipeline.morph(*made.manifest, steps=4, format=format)
    found = read_provenance(io.BytesIO(data))
    assert found.digital_source_type == "trainedAlgorithmicMedia"
    assert (found.recipe["steps"], found.recipe["mix"]["draw"]) == (4, 1)
    image = Image.open(io.BytesIO(data))
    if format == "png":
        ends = [np.asarray(image)[:, :16], np.asarray(image)[:, -16:]]
        tolerance = 1
    else:
        assert image.n_frames == 6, "forwards and backwards"
        ends = []
        for place in (0, 3):
            image.seek(place)
            ends.append(np.asarray(image.convert("L")))
        tolerance = 24
    assert worst(np.stack(ends), np.stack([np.asarray(one) for one in made.images])) <= tolerance


def test_only_the_named_parts_change(engine, toy):
    pipeline = Pipeline(toy, engine)
    bag, dress = (pipeline(category=name, pattern="plain").manifest[0] for name in ("bag", "dress"))
    strip = Image.open(io.BytesIO(pipeline.morph(bag, dress, steps=2, only=["look", "pattern"])))
    assert worst(np.asarray(strip)[None, :, :16], np.asarray(strip)[None, :, 16:]) == 0
    data = pipeline.morph(bag, dress, steps=None, share=1.0, only=["category"])
    assert (
        worst(
            opened([data]), np.asarray(pipeline(category="dress", pattern="plain").images[0])[None, ..., None]
        )
        <= 1
    )
    with pytest.raises(ProdgenError, match="no part 'colour', but look, category, pattern"):
        pipeline.morph(bag, dress, only=["colour"])
