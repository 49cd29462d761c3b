"""Three lines of Python make images without a service."""

import json
import threading
from itertools import chain, islice

import numpy as np
import pytest
from PIL import ImageColor

from prodgen import Pipeline
from prodgen.errors import NotFound, ProdgenError
from prodgen.generation import request as request_module
from prodgen.pipeline import make_spec
from tests.generation.asking import images, pixels, worst
from tests.toys import CATEGORIES, toy_folder


@pytest.fixture
def pipeline(folder):
    with Pipeline.from_pretrained(toy_folder(folder), device="cpu") as pipeline:
        yield pipeline


def test_images_come_with_the_lines_that_make_them_again(pipeline):
    made = pipeline(category="bag", count=16, seed=7)
    assert len(made.images) == len(made.manifest) == 16
    assert {line.attributes["category"] for line in made.manifest} == {"bag"}
    assert {line.attributes["pattern"] for line in made.manifest} == {"plain", "striped"}
    got = np.stack([np.asarray(image)[..., None] for image in made.images])
    assert worst(got, pixels(pipeline.model, images(pipeline.model, range(16), category="bag"))) <= 1


def test_several_values_give_every_combination_in_the_order_written(pipeline):
    made = pipeline(category=["dress", "bag"], pattern=["striped", "plain"], count=2)
    asked = [(line.attributes["category"], line.attributes["pattern"]) for line in made.manifest]
    order = [(c, p) for c in ("dress", "bag") for p in ("striped", "plain")]
    assert asked == [pair for pair in order for _ in range(2)]


def test_the_finish_and_the_format_are_those_of_a_job(pipeline):
    made = pipeline(count=2, finish={"size": 20, "background": "white"}, output={"format": "jpeg"})
    assert [image.size for image in made.images] == [(20, 20)] * 2
    assert made.manifest[0].file == "000000000.jpg"


def test_images_do_not_depend_on_how_many_are_ordered(pipeline, monkeypatch):
    few = pipeline(count=5, seed=3)
    monkeypatch.setattr("prodgen.pipeline._CHUNK", 7)
    many = pipeline(count=40, seed=3)
    assert [line.index for line in many.manifest] == list(range(40))
    assert worst(np.stack(few.images), np.stack(many.images[:5])) <= 1


def test_pictures_in_items_are_refused(pipeline):
    item = {"sku": "A", "picture": {"sha256": "0" * 64}}
    with pytest.raises(ProdgenError, match=r"use Pipeline\.redraw"):
        pipeline.count(make_spec(model="toy", items=[item]))


def test_a_large_order_tunes_the_model_once(pipeline, monkeypatch):
    tuned = []
    monkeypatch.setattr(pipeline.engine.forward, "tune", lambda model: tuned.append(model))
    monkeypatch.setattr("prodgen.pipeline._WORTH_TUNING", 10)
    for count in (9, 10, 11):
        pipeline(count=count)
    assert len(tuned) == 1


def test_a_caller_who_stops_iterating_stops_the_work(pipeline, monkeypatch):
    monkeypatch.setattr("prodgen.pipeline._CHUNK", 8)
    monkeypatch.setattr(request_module, "MAX_AHEAD", 8 * 16 * 16)
    submitted = []
    submit = pipeline.engine.submit
    monkeypatch.setattr(pipeline.engine, "submit", lambda r: submitted.append(submit(r)) or submitted[-1])
    stream = pipeline.stream(make_spec(model="toy", count=1_000_000))
    assert len(list(islice(stream, 3))) == 3
    stream.close()
    assert len(submitted) == 2
    assert submitted[1].cancelled


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"category": "hat"}, f"cannot be 'hat'; this model makes {', '.join(CATEGORIES)}"),
        ({"colour": "red"}, "no attribute 'colour'; its attributes are: category, pattern"),
        ({"count": 0}, "count must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"truncation": 0}, "truncation must be greater than 0"),
        ({"finish": {"size": 3}}, "finish.size must be at least 8"),
        ({"finish": {"background": "blurple"}}, "'blurple' is no colour"),
        ({"output": {"format": "bmp"}}, "output.format must be"),
    ],
)
def test_an_order_that_cannot_be_made_is_refused_in_one_sentence(pipeline, options, words):
    with pytest.raises(ProdgenError, match=words) as refused:
        pipeline(**options)
    assert "\n" not in str(refused.value)


def test_no_thread_is_left_running(folder):
    before = set(threading.enumerate())
    with Pipeline.from_pretrained(toy_folder(folder), device="cpu") as pipeline:
        pipeline(count=2)
    with pytest.raises(NotFound):
        Pipeline.from_pretrained("nothing", device="cpu")
    assert set(threading.enumerate()) == before


def test_a_manifest_line_is_json_that_anyone_can_read(pipeline):
    [line] = pipeline(category="bag", pattern="plain", seed=7).manifest
    assert json.loads(line.to_json()) == {
        "index": 0, "seed": 7, "draw": 0, "attempt": 0,
        "attributes": {"category": "bag", "pattern": "plain"},
        "model": pipeline.model.id, "truncation": 1.0, "finish": {}, "format": "png", "precision": "fp32",
        "file": "000000000.png", "sha256": line.sha256,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "ground", "formats"),
    [
        ("clothing", "white", ["png", "jpeg"]),
        ("clothing", "#1b2a41", ["png"]),
        ("clothing", None, ["jpeg"]),  # a JPEG has no transparency, so it is laid on white
        ("fashion-mnist", "white", ["png", "jpeg"]),
    ],
)
def test_the_ground_has_exactly_the_colour_that_was_asked_for(model, ground, formats):
    with Pipeline.from_pretrained(model, device="cpu") as pipeline:
        finish = {"size": 256, "background": ground}
        made = [pipeline(count=16, seed=9, finish=finish, output={"format": each}).images for each in formats]
    wanted = ImageColor.getrgb(ground or "white")
    for image in chain(*made):
        shown = np.asarray(image.convert("RGB"))
        corners = [shown[:16, :16], shown[:16, -16:], shown[-16:, :16], shown[-16:, -16:]]
        assert sum((corner == wanted).all() for corner in corners) >= 3  # a product may reach into one
