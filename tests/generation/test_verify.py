"""Verification shows that an order can be made again, or says that it cannot."""

import dataclasses
import hashlib
import json

import pytest

from prodgen.errors import ProdgenError
from prodgen.generation.encode import decode, encode
from prodgen.generation.request import manifest_line
from prodgen.generation.verify import verify
from prodgen.spec.finish import Augment, Finish
from prodgen.spec.manifest import ManifestLine
from tests.generation.asking import images, request
from tests.servers.up import clean_environment, run_here
from tests.toys import toy_folder, toy_model

FINISHES = {
    "plain": {},
    "finished": {
        "finish": Finish(size=40, background="white", augment=Augment(rotation=20)),
        "truncation": 0.7,
    },
    "jpeg": {"finish": Finish(size=40), "format": "jpeg"},
    "webp": {"finish": Finish(background="#c0392b"), "format": "webp"},
}


def delivered(engine, model, **options) -> tuple[list[ManifestLine], dict[str, bytes]]:
    """An order's manifest and its files."""
    asked = request(model, 12, **options)
    files = list(engine.submit(asked))
    lines = [manifest_line(asked, image, data) for image, data in zip(asked.images, files, strict=True)]
    return lines, {line.file: data for line, data in zip(lines, files, strict=True)}


def faults(lines, files, model, engine) -> dict[int, str]:
    findings = list(verify(lines, files.get, model, engine))
    assert [f.line for f in findings] == lines
    return {f.line.index: f.fault for f in findings if f.fault}


@pytest.mark.parametrize("options", FINISHES.values(), ids=FINISHES)
def test_generated_images_verify(engine, toy, options):
    lines, files = delivered(engine, toy, **options)
    assert faults(lines, files, toy, engine) == {}
    assert faults(lines[::-1], files, toy, engine) == {}


def test_a_line_says_what_the_image_was_made_from(engine, toy):
    lines, files = delivered(engine, toy, truncation=0.7)
    line = lines[3]
    assert (line.index, line.seed, line.draw, line.truncation, line.format) == (3, 7, 3, 0.7, "png")
    assert line.attributes == images(toy, [3])[0].attributes
    assert line.model == toy.id
    assert line.precision == "fp32"
    assert (
        manifest_line(request(toy, 12), images(toy, [3])[0], files[line.file], object="k", offset=9).offset
        == 9
    )


def test_a_missing_file_is_found(engine, toy):
    lines, files = delivered(engine, toy)
    fault = "the file is missing or cannot be read"
    assert faults(lines, {**files, lines[4].file: None}, toy, engine) == {4: fault}


@pytest.mark.parametrize("options", FINISHES.values(), ids=FINISHES)
def test_a_changed_file_is_found_even_if_one_bit(engine, toy, options):
    lines, files = delivered(engine, toy, **options)
    changed = bytearray(files[lines[4].file])
    changed[-1] ^= 1
    found = faults(lines, {**files, lines[4].file: bytes(changed)}, toy, engine)
    assert found == {4: "the file's bytes do not match the recorded sha256"}


def forged(lines, files, at: int, data: bytes) -> tuple[list[ManifestLine], dict[str, bytes]]:
    """Replace an image by another file, with the digest of that file in the manifest."""
    asked = lines[at].model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    return [*lines[:at], asked, *lines[at + 1 :]], {**files, asked.file: data}


@pytest.mark.parametrize("options", FINISHES.values(), ids=FINISHES)
def test_another_image_is_found_even_with_a_forged_digest(engine, toy, options):
    lines, files = delivered(engine, toy, **options)
    found = faults(*forged(lines, files, 4, files[lines[5].file]), toy, engine)
    assert list(found) == [4]
    assert "levels of 255" in found[4]


def test_a_difference_beyond_the_tolerance_is_found_and_one_within_is_not(engine, toy):
    lines, files = delivered(engine, toy)
    pixels = decode(files[lines[4].file])
    for step, expected in ((1, {}), (2, {4: "the image differs by 2 levels of 255; the tolerance is 1"})):
        changed = pixels.astype(int)
        changed[3, 3] += step if changed[3, 3] < 128 else -step
        changed = changed.astype("uint8")
        assert faults(*forged(lines, files, 4, encode(changed, "png")), toy, engine) == expected


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_lossy_files_of_pixels_a_level_apart_still_verify(engine, toy, format):
    finish = Finish(size=48, background="#c0392b")
    lines, files = delivered(engine, toy, finish=finish)
    lossy = [line.model_copy(update={"format": format}) for line in lines]
    for at, line in enumerate(lines):
        pixels = decode(files[line.file]).astype(int)
        pixels[::7, ::5] += 1
        lossy, files = forged(lossy, files, at, encode(pixels.clip(0, 255).astype("uint8"), format))
    assert faults(lossy, files, toy, engine) == {}


def test_a_file_of_another_size_is_found(engine, toy):
    lines, files = delivered(engine, toy)
    _, larger = delivered(engine, toy, finish=Finish(size=20, background="#c0392b"))
    found = faults(*forged(lines, files, 4, larger[lines[4].file]), toy, engine)
    assert found == {
        4: "the image has 20x20 pixels in 3 channels, but the model makes 16x16 pixels in 1 channel"
    }


def test_a_file_that_is_no_image_is_found(engine, toy):
    lines, files = delivered(engine, toy)
    found = faults(*forged(lines, files, 4, b"rubbish"), toy, engine)
    assert "not a complete image" in found[4]


def test_another_version_is_refused(engine, toy, folder):
    lines, files = delivered(engine, toy)
    other = dataclasses.replace(toy_model(folder, seed=9), name="toy")
    with pytest.raises(ProdgenError, match=f"000000000.png was made by {toy.id}, not by {other.id}"):
        faults(lines, files, other, engine)


def test_a_line_that_the_model_cannot_make_is_one_sentence(engine, toy):
    lines, files = delivered(engine, toy)
    for attributes in ({"category": "hat", "pattern": "plain"}, {"category": "bag"}):
        broken = [lines[0].model_copy(update={"attributes": attributes})]
        with pytest.raises(ProdgenError, match="model"):
            faults(broken, files, toy, engine)


def test_a_model_with_transparency_verifies(engine, folder):
    model = toy_model(folder, channels=4)
    for options in (
        {},
        {"format": "webp"},
        {"format": "jpeg"},
        {"format": "avif"},
        {"finish": Finish(background="white", size=24)},
    ):
        lines, files = delivered(engine, model, **options)
        assert faults(lines, files, model, engine) == {}


def test_images_of_a_trained_model_name_it_and_verify_with_its_folder(tmp_path):
    """By the commands that a user gives, with a model folder as training writes it."""
    model = toy_folder(tmp_path / "shop" / "model")
    here = {"environment": clean_environment()}
    made = run_here("generate", model, "--count", 2, "--out", tmp_path / "out", "--json", **here)
    assert json.loads(made.stdout)["model"].startswith("shop@"), made.stderr
    verify = ("verify", tmp_path / "out")

    refused, verified = run_here(*verify, **here), run_here(*verify, "--model", model, **here)

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert refused.stderr.startswith("prodgen: there is no model 'shop@")
    assert "; pass its folder with --model (`prodgen models download shop@" in refused.stderr
    assert (verified.returncode, verified.stdout) == (0, "2 of 2 images verified\n")
