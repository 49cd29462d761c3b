"""The same seed makes the same images, and a command checks that they are the same."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run

WORDS = ("generate", "fashion-mnist", "--count", 2, "--seed", 7, "--attr", "category=bag", "--out")


@pytest.fixture
def images(run: Run, tmp_path: Path) -> Path:
    assert run(*WORDS, tmp_path / "images").code == 0
    return tmp_path / "images"


def test_the_same_seed_makes_the_same_bytes(run: Run, images: Path, tmp_path: Path) -> None:
    done = run(*WORDS, tmp_path / "again", "--json")

    made = json.loads(done.out)
    assert (made["images"], made["out"]) == (2, str(tmp_path / "again"))
    names = {"000000000.png", "000000001.png", "manifest.jsonl", "sheet.png"}
    assert {path.name for path in images.iterdir()} == names
    for name in names:
        assert (images / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert (images / "000000000.png").read_bytes() != (images / "000000001.png").read_bytes()


def test_another_seed_makes_other_images_elsewhere(run: Run, images: Path, tmp_path: Path) -> None:
    done = run(*WORDS, images, "--seed", 8)
    assert done.code == 2
    assert "already holds the images of another " in done.err

    assert run(*WORDS, tmp_path / "other", "--seed", 8).code == 0
    assert (tmp_path / "other" / "000000000.png").read_bytes() != (images / "000000000.png").read_bytes()


def test_images_are_finished_as_asked(run: Run, tmp_path: Path) -> None:
    options = ("--size", 96, "--background", "white", "--format", "webp")
    done = run(*WORDS, tmp_path / "images", *options)

    assert done.code == 0, done.err
    assert done.err.strip().splitlines()[-1].startswith("2 images of fashion-mnist@")
    image = Image.open(tmp_path / "images" / "000000001.webp").convert("L")
    assert image.size == (96, 96)
    assert image.getpixel((0, 0)) >= 250


def test_verify_finds_the_image_that_was_changed(run: Run, images: Path) -> None:
    assert run("verify", images).out == "2 of 2 images verified\n"
    Image.new("L", (28, 28)).save(images / "000000001.png")

    done = run("verify", images / "manifest.jsonl")
    assert done.code == 1
    assert done.out.splitlines()[0].startswith("000000001.png: ")
    assert done.out.endswith("1 of 2 images verified\n")
    found = json.loads(run("verify", images, "--json").out)
    assert (found["images"], found["differing"], found["faults"][0]["index"]) == (2, 1, 1)
    manifest = images / "manifest.jsonl"
    manifest.write_text(manifest.read_text()[:-2] + ',"deleted":true}\n')
    assert run("verify", images).out == "1 of 1 images verified\ndeleted from the order: 1\n"


def test_a_prompt_is_read_and_said_back(run: Run, tmp_path: Path) -> None:
    done = run("generate", "fashion-mnist", "--prompt", "two red handbags", "--out", tmp_path / "bags")

    assert done.code == 0, done.err
    assert "read: category bag (handbags), count 2 (two); not read: red" in done.err
    lines = (tmp_path / "bags" / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["attributes"] for line in lines] == [{"category": "bag"}] * 2


def test_a_sprite_sheet_is_verified_image_by_image(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "game"
    words = ("generate", "clothing", "--count", 3, "--sheet", "--out", out)
    assert run(*words).code == 0
    assert {path.name for path in out.iterdir()} == {
        *("sprites-0.png", "sprites-0.json", "manifest.jsonl", "sheet.png")
    }
    assert run(*words).code == 0, "the same images may be written again"
    assert run("verify", out).out == "3 of 3 images verified\n"

    sheet = Image.open(out / "sprites-0.png")
    sheet.paste((255, 0, 0, 255), (66, 0, 130, 64))
    sheet.save(out / "sprites-0.png")
    done = run("verify", out)
    assert (done.code, done.out.count("the sheet's bytes do not match the recorded sha256")) == (1, 3)
    lines = (out / "manifest.jsonl").read_text()
    recorded = json.loads(lines.splitlines()[0])["sha256"]
    digest = hashlib.sha256((out / "sprites-0.png").read_bytes()).hexdigest()
    (out / "manifest.jsonl").write_text(lines.replace(recorded, digest))
    done = run("verify", out)
    assert (done.code, done.out.splitlines()[-1]) == (1, "2 of 3 images verified")
    assert "the image differs by " in done.out
    (out / "sprites-0.png").write_bytes(b"")
    assert run("verify", out).out.splitlines()[-1] == "0 of 3 images verified"


def test_a_picture_is_redrawn_and_made_again_without_the_picture(
    run: Run, refused: Callable[..., str], images: Path, tmp_path: Path
) -> None:
    picture, out = images / "000000000.png", tmp_path / "bag.png"
    command = ("redraw", "fashion-mnist-vaegan", picture, "--attr", "category=bag", "--out", out)
    made = json.loads(run(*command, "--was", "category=sneaker", "--json").out)
    assert made["attributes"] == {"category": "sneaker"}
    assert 0 <= made["distance"] < 0.3
    done = run("provenance", out, "--remake", tmp_path / "again.png")
    assert done.err.endswith("again.png is the same picture\n")
    assert "exists already" in refused(*command)
    assert "no encoder" in refused("redraw", "fashion-mnist", picture, "--out", tmp_path / "x.png")


def test_two_images_are_mixed_by_their_files_lines_and_addresses(
    run: Run, images: Path, tmp_path: Path
) -> None:
    first, second = images / "000000000.png", f"{images / 'manifest.jsonl'}#1"
    strip = ("morph", "fashion-mnist", first, second, "--steps", 3, "--out")
    assert run(*strip, tmp_path / "strip.png").code == 0
    middle = np.asarray(Image.open(tmp_path / "strip.png"))[:, 28:56]
    address = "/v1/render/fashion-mnist/7/0.webp?category=bag"
    one = ("morph", "fashion-mnist", address, "7/1?category=bag", "--share", 0.5, "--out")
    assert run(*one, tmp_path / "one.png").code == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "one.png")), middle)
    done = run("provenance", tmp_path / "strip.png", "--remake", tmp_path / "again.png")
    assert done.err.endswith("again.png is the same picture\n")
    done = run(*strip, tmp_path / "strip.png")
    assert (done.code, "exists already" in done.err) == (2, True)
