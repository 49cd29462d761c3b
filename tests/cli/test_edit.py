"""Catalogue pictures from the command line: what is made, what is set aside, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prodgen.bundled import bundled_photographs
from prodgen.photographs.batch import Batch
from prodgen.photographs.cutters import GrabCut
from prodgen.photographs.edit import Edit
from prodgen.spec.provenance import GENERATED, make_xmp
from tests.cli.conftest import Run

POLO = next(path for path in bundled_photographs() if path.stem == "polo")
EDIT = ("edit", "--cutter", "grabcut", "--size", 200)


def test_a_photograph_becomes_a_picture_for_each_colour_and_scene(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    scenes = ("--scene", "white", "--scene", "studio")
    done = run(*EDIT, POLO, "--attr", "colour=crimson|#2f6db5", *scenes, "--out", out, "--json")

    assert done.code == 0, done.err
    assert json.loads(done.out) | {"pictures": 4, "review": []} == json.loads(done.out)
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == [
        f"polo-{colour}-{scene}.jpg" for colour in ("crimson", "2f6db5") for scene in ("white", "studio")
    ]
    assert all((out / line["file"]).is_file() for line in lines)
    assert (out / "sheet.png").is_file()


def test_backgrounds_of_the_same_name_get_a_file_each(run: Run, tmp_path: Path) -> None:
    scenes = list[object]()
    for colour in ("red", "blue"):
        path = tmp_path / colour / "wall.png"
        path.parent.mkdir()
        Image.new("RGB", (200, 200), colour).save(path)
        scenes += ["--scene", path]
    out = tmp_path / "out"
    assert run(*EDIT, POLO, *scenes, *scenes, "--out", out).code == 0
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == ["polo-wall.jpg", "polo-wall~2.jpg"]
    corners = [Image.open(out / line["file"]).getpixel((2, 2)) for line in lines]
    assert np.abs(np.array(corners) - ((255, 0, 0), (0, 0, 255))).max() < 10


def test_a_picture_that_outweighs_its_preset_does_not_end_the_others(tmp_path: Path) -> None:
    batch = Batch(tmp_path, GrabCut(), Edit(width=200, height=200, most_bytes=1000))
    batch.run([POLO, POLO])
    assert [row["photo"] for row in batch.review] == [str(POLO)] * 2
    assert "more than the preset's 1,000" in batch.review[0]["reason"]


def test_a_product_with_a_print_is_delivered_in_its_own_colour_and_reviewed_in_others(tmp_path: Path) -> None:
    shirt = np.zeros((160, 160, 4), np.uint8)
    shirt[20:140, 20:140], shirt[60:90, 50:110] = (180, 30, 40, 255), (240, 240, 238, 255)
    Image.fromarray(shirt).save(tmp_path / "shirt.png")
    out = tmp_path / "out"
    out.mkdir()
    batch = Batch(out, GrabCut(), Edit((None, "navy", "white"), width=160, height=160))
    batch.run([tmp_path / "shirt.png"])
    assert (batch.made, batch.shown) == (1, 1)
    assert (out / "shirt-white.jpg").is_file()
    assert [row["file"] for row in batch.review] == ["shirt-navy-white.jpg", "shirt-white-white.jpg"]
    assert "a part of the product, such as a print" in batch.review[0]["reason"]
    assert (out / "review" / "shirt-white-white.jpg").is_file()


def test_pictures_of_a_preset_pass_its_check_and_say_how_they_were_made(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("edit", "--cutter", "grabcut", POLO, "--preset", "ebay", "--out", out).code == 0
    checked = run("check", out, "--preset", "ebay", "--json")
    assert checked.code == 1
    (found,) = json.loads(checked.out).values()
    assert [finding["rule"] for finding in found] == ["resolution"]  # 400 pixels were enlarged

    told = run("provenance", out / "polo-white.jpg", "--json")
    record = json.loads(told.out)
    assert record["digital_source_type"] == "algorithmicallyEnhanced"
    assert (record["preset"], record["cutter"]) == ("ebay", "grabcut")


def test_a_photograph_that_cannot_be_cut_is_set_aside_and_the_others_are_made(
    run: Run, tmp_path: Path
) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    (photographs / "polo.jpg").write_bytes(POLO.read_bytes())
    (photographs / "broken.jpg").write_bytes(POLO.read_bytes()[:900])
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)
    Image.fromarray(noise).save(photographs / "noise.png")
    out = tmp_path / "out"
    done = run(*EDIT, photographs, "--out", out, "--json")

    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert summary["pictures"] == 1
    reasons = {Path(row["photo"]).name: row["reason"] for row in summary["review"]}
    assert reasons.keys() == {"broken.jpg", "noise.png"}
    assert reasons["broken.jpg"].startswith("cannot be read")
    assert (out / "review" / "noise.jpg").is_file()
    assert len((out / "review" / "review.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("edit", "nothere.jpg", "--out", "out"), "there is no picture nothere.jpg"),
        (
            ("edit", POLO, "--attr", "material=denim", "--out", "out"),
            "a photograph has no material as --attr",
        ),
        (("edit", POLO, "--attr", "colour=blurple", "--out", "out"), "'blurple' is no colour"),
        (("edit", POLO, "--scene", "beach", "--out", "out"), "no scene is 'beach'"),
        (("edit", POLO, "--material", "tweed", "--out", "out"), "no material is 'tweed'"),
        (("edit", POLO, "--preset", "amazn", "--out", "out"), "no preset is named 'amazn'"),
        (("edit", POLO, "--retouch", "lamp", "--out", "out"), "no retouch is named 'lamp'; write light"),
        (("edit", POLO, "--size", "9", "--out", "out"), "size 9 is not from 64 to 4096"),
        (("edit", POLO, "--format", "gif", "--out", "out"), "format 'gif' is not jpeg, png, webp or avif"),
        (("check", POLO, "--preset", "myshop"), "no preset is named 'myshop'"),
        (("provenance", POLO), "has no marks that say how it was made"),
    ],
    ids=lambda value: None,
)
def test_a_mistake_gets_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert done.code == 2
    assert sentence in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_not_mixed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = run(*EDIT, POLO, "--out", tmp_path)
    assert done.code == 2
    assert "already holds files" in done.err


def test_pictures_that_break_the_rules_or_cannot_be_read_end_with_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(POLO.read_bytes()[:900])
    Image.new("RGB", (300, 300), "#eeeeee").save(tmp_path / "grey.png")
    done = run("check", tmp_path, "--preset", "amazon")
    assert done.code == 1
    assert "broken.jpg: file cannot be read (" in done.out
    assert "size 300 x 300 pixels, not a side of 1000 or more" in done.out
    assert "0 of 2 pictures" in done.err


def test_fix_writes_mended_copies_and_reports_the_rest(run: Run, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    shown = np.full((1100, 1100, 3), (250, 251, 252), np.uint8)
    shown[60:1040, 60:1040] = (20, 60, 120)
    shown[70:1030:20, 70:1030] = (10, 20, 30)
    Image.fromarray(shown).save(before / "B000123456 front.png")
    Image.fromarray(shown[:300, :300]).save(before / "small.png")
    (before / "broken.jpg").write_bytes(POLO.read_bytes()[:900])
    done = run("check", before, "--preset", "amazon", "--fix", after)
    assert done.code == 1
    assert sorted(path.name for path in after.iterdir()) == ["B000123456.MAIN.png", "small.png"]
    assert "1 of 3 pictures keep amazon's rules" in done.err
    assert f"copies in {after}" in done.err
    assert f"{after / 'small.png'}: " in done.out
    assert f"{after}/B000123456" not in done.out
    assert "broken.jpg: file cannot be read" in done.out
    assert (np.asarray(Image.open(after / "B000123456.MAIN.png"))[0] == 255).all()
    again = run("check", before, "--preset", "amazon", "--fix", after)
    assert again.code == 2
    assert "already holds files" in again.err


def test_a_generated_source_is_no_photograph_of_a_product(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "polo.jpg"
    with Image.open(POLO) as image:
        image.convert("RGB").save(source, xmp=make_xmp(GENERATED, {}))
    words = ("edit", source, "--cutter", "grabcut", "--preset", "amazon", "--json", "--out")
    refused = json.loads(run(*words, tmp_path / "out").out)
    assert (refused["pictures"], len(refused["review"])) == (0, 1)
    assert "amazon takes photographs of real products only" in refused["review"][0]["reason"]
    assert json.loads(run(*words, tmp_path / "forced", "--force").out)["pictures"] == 1
    checked = run("check", tmp_path / "forced", "--preset", "amazon")
    assert "origin generated by a model" in checked.out


def test_the_cloth_of_one_photograph_dresses_another(run: Run, tmp_path: Path) -> None:
    swatch, out = tmp_path / "swatches" / "polo.png", tmp_path / "out"
    done = run("swatch", POLO, "--cutter", "grabcut", "--out", swatch)
    assert done.code == 0, done.err
    again = run("swatch", POLO, "--cutter", "grabcut", "--out", swatch)
    assert again.code == 2
    assert "already exists" in again.err
    shorts = POLO.with_name("shorts.jpg")
    assert run(*EDIT, shorts, "--material", swatch, "--out", out).code == 0
    own = np.asarray(Image.open(swatch)).reshape(-1, 3).mean(0)
    worn = np.asarray(Image.open(out / "shorts-polo-white.jpg")).astype(float)
    assert np.abs(worn[(worn < 235).any(-1)].mean(0) - own).max() < 60
