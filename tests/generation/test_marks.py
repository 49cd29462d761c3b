"""Each generated file says how it was made, in words that other programs read; no hostile file does harm."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.generation.encode import encode_image
from prodgen.generation.request import Request, manifest_line
from prodgen.generation.verify import verify
from prodgen.pipeline import Pipeline
from prodgen.spec.finish import Finish
from prodgen.spec.provenance import GENERATED, Provenance, make_xmp, read_provenance
from tests.generation.asking import opened, request

NONE = Provenance(None, None)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
def test_every_file_says_how_to_make_it_again(engine, toy, format):
    finish = Finish(size=24, background="#336699")
    asked = request(toy, 3, truncation=0.7, finish=finish, format=format)
    asked = replace(asked, images=[replace(asked.images[2], attempt=1)])
    (data,) = engine.submit(asked)
    found = read_provenance(io.BytesIO(data))
    assert found.digital_source_type == "trainedAlgorithmicMedia"
    assert found.recipe == {
        "model": toy.id,
        "seed": 7,
        "draw": 2,
        "attempt": 1,
        "attributes": asked.images[0].attributes,
        "truncation": 0.7,
        "finish": {"size": 24, "background": "#336699"},
    }


def test_an_image_is_the_same_file_in_every_order(engine, toy):
    first = request(toy, 2)
    other = [replace(image, index=40 + k, sku="A1", repeat=k) for k, image in enumerate(first.images)]
    again = Request(toy, other, tenant="another", priority=1)
    assert list(engine.submit(first)) == list(engine.submit(again))


def test_pixels_do_not_depend_on_marks_and_files_of_older_versions_verify(engine, toy):
    asked = request(toy, 4)
    marked, bare = list(engine.submit(asked)), list(engine.submit(replace(asked, marks=False)))
    assert (opened(marked) == opened(bare)).all()
    assert read_provenance(io.BytesIO(bare[0])) == NONE
    lines = [manifest_line(asked, image, data) for image, data in zip(asked.images, bare, strict=True)]
    stored = {line.file: data for line, data in zip(lines, bare, strict=True)}
    assert [finding.fault for finding in verify(lines, stored.get, toy, engine)] == [None] * 4


def test_images_in_python_bring_their_marks_along(engine, toy, tmp_path):
    made = Pipeline(toy, engine)(count=1).images[0]
    made.save(tmp_path / "a.webp", xmp=made.info["xmp"])
    assert read_provenance(tmp_path / "a.webp").digital_source_type == "trainedAlgorithmicMedia"


def test_what_people_write_in_an_attribute_stays_text(tmp_path: Path) -> None:
    recipe = {"attributes": {"print": '</rdf:RDF> & "café" 帽子 \x00\ufffe'}}
    for format in ("png", "jpeg", "webp", "avif"):
        data = encode_image(Image.new("RGB", (8, 8)), format, make_xmp(GENERATED, recipe))
        assert read_provenance(io.BytesIO(data)).recipe == recipe


DTD = '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'


@pytest.mark.parametrize(
    "xmp",
    [
        DTD.encode(),
        ('<?xml version="1.0" encoding="utf-16"?>' + DTD).encode("utf-16"),
        b"<x",
        b'<?xml version="1.0" encoding="no-such"?><x/>',
        b"<x>" * 200_000,
        make_xmp(GENERATED, {"a": 1}).replace(b'{"a":1}', b"[" * 100_000),
        make_xmp(GENERATED, {"a": "x" * (1 << 20)}),
    ],
    ids=["dtd", "dtd-utf-16", "cut", "encoding", "deep-xml", "deep-json", "large"],
)
def test_hostile_marks_count_as_none(xmp: bytes) -> None:
    data = encode_image(Image.new("RGB", (8, 8)), "png", xmp)
    assert read_provenance(io.BytesIO(data)) == NONE


def test_marks_of_other_programs_are_read_and_nonsense_is_not() -> None:
    element = make_xmp(GENERATED, {}).replace(b"http://cv.iptc.org/newscodes/digitalsourcetype/", b"")
    data = encode_image(Image.new("RGB", (8, 8)), "webp", element)
    assert read_provenance(io.BytesIO(data)) == (GENERATED, None)
    spoilt = make_xmp(GENERATED, {}).replace(GENERATED.encode(), b"&#x1b;[31m")
    data = encode_image(Image.new("RGB", (8, 8)), "webp", spoilt)
    assert read_provenance(io.BytesIO(data)) == NONE
    with pytest.raises(ProdgenError, match="the file is no picture that can be read"):
        read_provenance(io.BytesIO(b"not a picture"))
