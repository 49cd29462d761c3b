"""Commands show what a training would be trained on."""

import hashlib
import json
import shutil

import pytest
from PIL import Image
from typer.testing import CliRunner

from prodgen.catalog.catalogue import digest
from prodgen.catalog.download import DATA_SETS, PublicDataSet
from prodgen.catalog.formats import open_catalogue
from prodgen.cli.data import app
from prodgen.errors import NotFound
from tests.catalog.mirror import serving
from tests.toys import write_catalogue


def run(*arguments: object) -> tuple[str, str]:
    """Run ``prodgen data`` and return its stdout and stderr; its exceptions pass through."""
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout, done.stderr


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop [2026]"
    folder.mkdir()
    for k in range(3):
        Image.new("RGB", (20, 30), (80 * k, 0, 0)).save(folder / f"{k}.png")
    (folder / "attributes.csv").write_text("file,colour\n0.png,red\n1.png,red\n2.png,\n")
    return folder


def test_programs_read_what_a_folder_holds(shop):
    output = json.loads(run("show", shop, "--size", 16, "--json")[0])
    assert output == {
        "data": str(shop),
        "kind": "folder",
        "splits": ["train"],
        "split": "train",
        "images": 3,
        "size": [16, 16],
        "channels": 3,
        "digest": digest(open_catalogue(shop, size=16)),
        "attributes": {"colour": {"values": {"red": 2}, "unknown": 1}},
    }


def test_people_read_the_same(shop, tmp_path):
    words = " ".join("".join(run("show", shop)).split())
    assert "shop [2026]" in words
    assert "size 64 64" in words
    assert "colour red 2; unknown 1" in words
    write_catalogue(tmp_path / "idx", count=20)
    words = " ".join("".join(run("show", tmp_path / "idx", "--split", "test", "--channels", 3)).split())
    assert "kind idx splits train test split test images 20" in words
    assert "category 0 2, 1 2, 2 2" in words


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(NotFound, match="there is no folder"):
        run("show", tmp_path / "nowhere")


def test_a_public_set_is_fetched(tmp_path, monkeypatch):
    with serving({"one.gz": b"one"}) as mirror:
        files = {"one.gz": hashlib.md5(b"one").hexdigest()}
        monkeypatch.setitem(DATA_SETS, "toy", PublicDataSet((mirror.url,), files))
        output = json.loads(run("download", "toy", "--out", tmp_path / "data", "--json")[0])
        assert output == {"name": "toy", "out": str(tmp_path / "data"), "files": ["one.gz"]}
        assert "toy is whole in" in run("download", "toy", "--out", tmp_path / "again")[1]
    assert (tmp_path / "data" / "one.gz").read_bytes() == b"one"


def test_what_is_left_out_is_said_once_and_by_reason(tmp_path):
    for name in ("bag/1.png", "bag/2.png", "shoe/1.jpe", "shoe/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (60, 60), (200, 0, 0)).save(tmp_path / name, "PNG")
    for name in ("bag/photo", "shoe/photo.jpg?v=1"):
        shutil.copy(tmp_path / "bag/1.png", tmp_path / name)
    (tmp_path / "shoe" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "metadata.csv").write_text("file_name,colour\nbag/1.png,red\n")
    (tmp_path / ".DS_Store").write_text("")
    for command in (["show", tmp_path], ["inspect", tmp_path], ["show", tmp_path, "--json"]):
        remarks = run(*command)[1]
        for line in (
            "left out: files without the extension of a picture, such as .jpg: 2 (bag/photo, shoe/",
            "left out: links that lead nowhere: 1 (shoe/gone.png)",
            "left out: tables that are not called attributes.csv or attributes.jsonl: 1 (metadata.csv)",
        ):
            assert remarks.count(line) == 1
        assert remarks.count("left out") == 3


def test_pictures_and_folders_that_a_table_leaves_out_are_said(tmp_path):
    for name in ("train/bag/1.png", "train/bag/2.png", "train/hat/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        Image.new("RGB", (20, 20)).save(tmp_path / name)
    (tmp_path / "Attributes.CSV").write_text("file,colour\ntrain/bag/1.png,red\ntrain/bag/2.png,red\n")
    output, remarks = run("show", tmp_path)
    assert "red 2" in output
    assert "left out: pictures that Attributes.CSV does not list: 1 (train/hat/3.png)" in remarks
    assert "without a column category in Attributes.CSV: 1 (bag)" in remarks


def test_nothing_is_said_when_nothing_is_left_out(shop, tmp_path):
    assert "left out" not in run("show", shop)[1]
    assert "left out" not in run("show", write_catalogue(tmp_path / "idx", count=20))[1]
