"""Faults of pictures are found before anybody trains on the pictures."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageFilter

from prodgen.catalog.formats import list_pictures, open_catalogue
from prodgen.catalog.photographs.inspection import inspect
from prodgen.errors import NotFound, ProdgenError
from tests.catalog.photos import BLUE, GREEN, RED, SHEET, photo, save
from tests.catalog.test_data_cli import run


def flags(folder):
    """Return the flags of each flagged picture."""
    found = inspect(folder, lambda *_: None).findings
    return {finding.file: set(finding.flags) for finding in found if finding.flags}


@pytest.fixture
def shop(tmp_path):
    """Return a folder of good pictures in two categories."""
    folder = tmp_path / "shop"
    for k in range(4):
        save(photo(RED, seed=k, scale=1 - 0.1 * k), folder / "red" / f"{k}.png")
        save(photo(BLUE, SHEET, seed=9 + k, scale=1 - 0.1 * k), folder / "blue" / f"{k}.jpg")
    return folder


def test_good_pictures_have_no_flag(shop):
    assert flags(shop) == {}


def test_each_fault_is_found_and_nothing_else(shop):
    (shop / "red" / "broken.jpg").write_bytes((shop / "blue" / "0.jpg").read_bytes()[:900])
    (shop / "red" / "text.png").write_text("not a picture")
    save(photo(GREEN, seed=20).resize((30, 40)), shop / "red" / "tiny.png")
    save(photo(GREEN, seed=21).filter(ImageFilter.GaussianBlur(5)), shop / "red" / "dim.png")
    save(Image.new("RGB", (90, 120), (200, 200, 201)), shop / "red" / "blank.png")
    save(Image.open(shop / "blue" / "1.jpg").resize((120, 160)), shop / "blue" / "again.jpg", quality=60)
    shutil.copy(shop / "red" / "1.png", shop / "red" / "same.png")
    assert flags(shop) == {
        "red/broken.jpg": {"unreadable"},
        "red/text.png": {"unreadable"},
        "red/tiny.png": {"tiny"},
        "red/dim.png": {"blurred"},
        "red/blank.png": {"blank"},
        "blue/again.jpg": {"duplicate"},
        "red/same.png": {"duplicate"},
    }


def test_a_picture_of_two_splits_is_flagged_where_it_is_trained_on(shop, tmp_path):
    for split in ("train", "test"):
        shutil.copytree(shop, tmp_path / "split" / split)
    save(photo(GREEN, seed=30, scale=0.7), tmp_path / "split" / "test" / "red" / "new.png")
    found = flags(tmp_path / "split")
    assert len(found) == 8
    assert all(name.startswith("train/") and flag == {"leak"} for name, flag in found.items())


def test_the_same_thing_in_another_colour_is_not_the_same(tmp_path):
    for k, colour in enumerate((RED, BLUE)):
        save(photo(colour, seed=1), tmp_path / f"{k}.png")
    assert flags(tmp_path) == {}


def test_the_one_that_looks_like_no_other_is_named(tmp_path):
    for k in range(40):
        save(photo(RED, seed=k, scale=1 - 0.01 * (k % 10)), tmp_path / "red" / f"{k:02}.png")
    noise = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    save(Image.fromarray(noise), tmp_path / "red" / "noise.png")
    assert flags(tmp_path)["red/noise.png"] == {"outlier"}


def test_pictures_of_every_kind_are_read(tmp_path):
    picture = photo(size=(300, 400))
    save(picture.convert("CMYK"), tmp_path / "cmyk.jpg")
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    save(Image.fromarray(deep), tmp_path / "deep.png")
    frames = [photo(GREEN, seed=k, size=(120, 160), scale=0.8) for k in range(3)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    turned = Image.Exif()
    turned[0x0112] = 6
    save(photo(BLUE, SHEET, seed=5).rotate(90, expand=True), tmp_path / "turned.jpg", exif=turned)
    assert flags(tmp_path) == {}


def test_a_picture_that_would_fill_the_memory_is_not_decoded(tmp_path):
    save(Image.new("1", (20_000, 20_000)), tmp_path / "bomb.png")
    save(photo(), tmp_path / "good.png")
    found = inspect(tmp_path, lambda *_: None).findings
    assert [set(finding.flags) for finding in found] == [{"unreadable"}, set()]
    assert "too many" in found[0].flags["unreadable"]


def test_a_name_that_is_no_text_is_written_and_read_back(tmp_path):
    name = b"\xff\xfe.png".decode(errors="surrogateescape")
    save(Image.new("RGB", (90, 90)), tmp_path / "shop" / name)
    save(photo(), tmp_path / "shop" / "good.png")
    output, _ = run("inspect", tmp_path / "shop", "--out", tmp_path / "report")
    assert "??.png: it is of one colour" in output
    rows = [json.loads(line) for line in (tmp_path / "report" / "report.jsonl").read_text().splitlines()]
    assert {row["file"]: list(row["flags"]) for row in rows} == {name: ["blank"], "good.png": []}
    kept = json.loads(run("clean", tmp_path / "shop", "--out", tmp_path / "kept", "--json")[0])
    assert kept["kept"] == 1


def test_a_folder_without_pictures_is_one_sentence(tmp_path):
    with pytest.raises(NotFound, match="holds no picture; it is empty"):
        run("inspect", tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(NotFound, match=r"its files are: 1 \.txt"):
        run("inspect", tmp_path)
    with pytest.raises(NotFound, match="there is no folder"):
        run("prepare", tmp_path / "nowhere", "--out", tmp_path / "out")


def test_the_report_has_every_picture_and_the_sheet_those_with_flags(shop, tmp_path):
    (shop / "red" / "text.png").write_text("not a picture")
    output = json.loads(run("inspect", shop, "--out", tmp_path / "report", "--json")[0])
    assert output["images"] == 9
    assert output["flagged"] == 1
    assert output["flags"]["unreadable"] == 1
    [row] = output["pictures"]
    assert row["file"] == "red/text.png"
    assert "no JPEG" in row["flags"]["unreadable"]
    assert len((tmp_path / "report" / "report.jsonl").read_text().splitlines()) == 9
    assert Image.open(tmp_path / "report" / "flagged.png").width > 128


def test_a_clean_folder_has_the_others_and_a_reason_for_each_that_went(shop, tmp_path):
    (shop / "red" / "text.png").write_text("not a picture")
    shutil.copy(shop / "red" / "1.png", shop / "red" / "same.png")
    before = sorted(shop.rglob("*"))

    output, _ = run("clean", shop, "--out", tmp_path / "kept")

    assert "to be left out: 2" in output
    assert sorted(shop.rglob("*")) == before
    assert open_catalogue(tmp_path / "kept").values == {"category": ("blue", "red")}
    assert [p.file for p in list_pictures(tmp_path / "kept").pictures] == [
        *(f"blue/{k}.jpg" for k in range(4)),
        *(f"red/{k}.png" for k in range(4)),
    ]
    rows = [json.loads(line) for line in (tmp_path / "kept" / "dropped.jsonl").read_text().splitlines()]
    assert [(row["file"], list(row["flags"])) for row in rows] == [
        ("red/same.png", ["duplicate"]),
        ("red/text.png", ["unreadable"]),
    ]
    assert (tmp_path / "kept" / "dropped.png").is_file()


def test_a_table_goes_along(shop, tmp_path):
    (shop / "attributes.csv").write_text("file,split,length\nred/0.png,train,short\nblue/1.jpg,test,\n")
    run("clean", shop, "--out", tmp_path / "kept")
    listing = list_pictures(tmp_path / "kept")
    assert [(p.file, p.split, p.known) for p in listing.pictures] == [
        ("red/0.png", "train", {"length": "short"}),
        ("blue/1.jpg", "test", {}),
    ]


def test_what_is_left_out_can_be_chosen(shop, tmp_path):
    shutil.copy(shop / "red" / "1.png", shop / "red" / "same.png")
    output = json.loads(run("clean", shop, "--out", tmp_path / "kept", "--drop", "blank", "--json")[0])
    assert (output["kept"], output["dropped"]) == (9, [])
    with pytest.raises(ProdgenError, match="no flag 'ugly'; there are unreadable, blank"):
        run("clean", shop, "--out", tmp_path / "more", "--drop", "ugly")


def test_nothing_is_written_over_or_into_what_is_read(shop, tmp_path):
    with pytest.raises(ProdgenError, match="is there already"):
        run("clean", shop, "--out", tmp_path)
    with pytest.raises(ProdgenError, match="lies within"):
        run("clean", shop, "--out", shop / "kept")
    save(Image.new("RGB", (90, 90)), tmp_path / "blank" / "1.png")
    with pytest.raises(ProdgenError, match="none of the 1 pictures would be left"):
        run("clean", tmp_path / "blank", "--out", tmp_path / "kept")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blank", "shop"]
