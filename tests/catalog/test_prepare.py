"""Products are cut out whole and labelled right, and what is set aside is listed."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prodgen.catalog.catalogue import UNKNOWN
from prodgen.catalog.formats import kind, open_catalogue, splits
from prodgen.catalog.photographs.prepare import prepare
from prodgen.catalog.photographs.process_pool import MAX_INLINE, map_in_processes
from prodgen.catalog.prepared_catalogue import read_jsonl
from prodgen.errors import Conflict, ProdgenError
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.colour import delta_e_2000, to_lab
from tests.catalog.photos import BLUE, GREEN, RED, SHEET, WOOD, photo, save, shape
from tests.catalog.test_data_cli import run
from tests.servers.process import wait_until


def quiet(*_):
    """Ignore progress."""


def fill(folder: Path) -> Path:
    """Save shirts of three colours in each of two splits, and return the folder."""
    for split in ("train", "test"):
        for n, colour in enumerate((RED, GREEN, BLUE)):
            picture = photo(colour, (WOOD, SHEET)[n % 2], seed=n, scale=1 - 0.1 * n)
            save(picture, folder / split / ("warm", "cold")[n % 2] / f"{n}.png")
    return folder


@pytest.fixture
def shop(tmp_path):
    """Return a folder of photographs."""
    return fill(tmp_path / "shop")


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Return a folder with ``shop`` and ``out``, prepared from it at 64 pixels, for tests that only read."""
    folder = tmp_path_factory.mktemp("once")
    prepare(fill(folder / "shop"), folder / "out", 64, quiet)
    return folder


@pytest.fixture
def out(once, tmp_path):
    """Return a copy of the prepared folder, for tests that change it."""
    return shutil.copytree(once / "out", tmp_path / "out")


def test_what_is_prepared_can_be_trained_on(once):
    description = json.loads((once / "out" / "catalogue.json").read_text())
    assert {name: description[name] for name in ("format", "kind", "size", "channels", "splits")} == {
        "format": 1,
        "kind": "prepared",
        "size": 64,
        "channels": 4,
        "splits": {"train": 3, "test": 3},
    }
    assert kind(once / "out") == "prepared"
    assert splits(once / "out") == ["train", "test"]
    catalogue = open_catalogue(once / "out")
    assert isinstance(catalogue.images, np.memmap)
    assert catalogue.images.shape == (3, 64, 64, 4)
    assert catalogue.values == {"category": ("cold", "warm"), "pattern": ("plain",)}
    assert catalogue.labels["category"].tolist() == [0, 1, 1]
    assert (once / "out" / "preview.png").is_file()
    assert (once / "out" / "set-aside.jsonl").read_text() == ""


def truth(size: int) -> np.ndarray:
    """Return the mask (size, size) of `photos.shape`, its longer side scaled to 88% of ``size``."""
    whole = Image.fromarray(shape()).convert("L")
    box = whole.getbbox()
    width, height = box[2] - box[0], box[3] - box[1]
    scale = 0.88 * size / max(width, height)
    small = whole.crop(box).resize((round(width * scale), round(height * scale)))
    canvas = Image.new("L", (size, size))
    canvas.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return np.asarray(canvas) > 127


def test_a_product_is_cut_out_whole_in_the_middle_and_in_its_own_colour(once):
    catalogue = open_catalogue(once / "out", "test")
    assert (catalogue.images[..., :3] <= catalogue.images[..., 3:]).all()
    for one in catalogue.images[..., 3] > 127:
        rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(0.88 * 64, abs=2)
        assert (rows[0] + rows[-1]) / 2 == pytest.approx(31.5, abs=1)
        assert (columns[0] + columns[-1]) / 2 == pytest.approx(31.5, abs=1)
        assert (one & truth(64)).sum() / (one | truth(64)).sum() > 0.86
    asked = np.array([to_lab(colour) for colour in (GREEN, RED, BLUE)])
    assert delta_e_2000(catalogue.colours["colour"], asked).max() < 4


def test_stripes_are_a_pattern_and_both_colours_are_named(tmp_path):
    for k in range(2):
        save(photo(BLUE, seed=k, stripe=(240, 240, 240) if k else None), tmp_path / "shop" / f"{k}.png")
    prepare(tmp_path / "shop", tmp_path / "out", 64, quiet)
    plain, striped = read_jsonl(tmp_path / "out" / "train.jsonl")
    assert (plain["pattern"], striped["pattern"]) == ("plain", "patterned")
    assert plain["colours"][0]["share"] > 0.95
    named = [np.array(colour["lab"]) for colour in striped["colours"] if colour["share"] > 0.2]
    asked = to_lab([BLUE, (240, 240, 240)])
    assert len(named) == 2
    assert delta_e_2000(np.array(named)[:, None], asked[None]).min(0).max() < 8
    assert sum(colour["share"] for colour in striped["colours"]) == pytest.approx(1, abs=0.01)


def test_shop_pictures_without_folders_have_no_category(tmp_path):
    for k, colour in enumerate((RED, (230, 228, 229))):
        save(photo(colour, (255, 255, 255), grain=0, seed=k), tmp_path / "shop" / f"{k}.png")
    prepare(tmp_path / "shop", tmp_path / "out", 64, quiet)
    catalogue = open_catalogue(tmp_path / "out")
    assert list(catalogue.values) == ["pattern"]
    assert (catalogue.images[..., 3] / 255).mean((1, 2)) == pytest.approx([truth(64).mean()] * 2, rel=0.1)


def test_a_cut_out_that_the_picture_has_is_kept(tmp_path):
    alpha = Image.fromarray(shape()).convert("L")
    picture = photo(RED, SHEET)
    picture.putalpha(alpha)
    for k in range(2):
        save(picture, tmp_path / "shop" / f"{k}.png")
    prepare(tmp_path / "shop", tmp_path / "out", 64, quiet)
    assert [row["quality"] for row in read_jsonl(tmp_path / "out" / "train.jsonl")] == [1, 1]
    assert delta_e_2000(open_catalogue(tmp_path / "out").colours["colour"], to_lab(RED)).max() < 2


def test_what_cannot_be_cut_out_is_set_aside_with_the_reason(shop, tmp_path):
    (shop / "train" / "warm" / "text.jpg").write_text("not a picture")
    save(Image.new("RGB", (90, 120), (90, 90, 90)), shop / "train" / "warm" / "blank.png")
    save(Image.new("1", (20_000, 20_000)), shop / "train" / "warm" / "bomb.png")
    noise = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    save(Image.fromarray(noise), shop / "train" / "warm" / "noise.png")

    output = run("prepare", shop, "--out", tmp_path / "out", "--size", 32)[0]

    rows = [json.loads(line) for line in (tmp_path / "out" / "set-aside.jsonl").read_text().splitlines()]
    reasons = {Path(row["file"]).stem: row["reason"] for row in rows}
    assert set(reasons) == {"text", "blank", "bomb", "noise"}
    assert reasons["text"] == "it cannot be read: no JPEG, PNG, WebP, GIF, BMP, TIFF, PPM or AVIF"
    assert "too many" in reasons["bomb"]
    assert all(row["split"] == "train" and 0 <= row["quality"] < 1 for row in rows)
    assert "set aside    4 of 10" in output
    assert len(open_catalogue(tmp_path / "out")) == 3
    assert Image.open(tmp_path / "out" / "set-aside.png").width > 256


def test_rows_say_which_file_they_come_from(once):
    for row in read_jsonl(once / "out" / "train.jsonl"):
        assert set(row) == {
            "file", "sha256", "category", "pattern", "colour", "colours", "quality", "coverage",
        }  # fmt: skip
        assert (once / "shop" / row["file"]).is_file()
        assert len(row["sha256"]) == 64
        assert row["category"] == Path(row["file"]).parent.name


def test_an_attribute_called_like_something_that_is_measured_keeps_its_values(shop, tmp_path):
    files = [str(path.relative_to(shop)) for path in sorted((shop / "train").rglob("*.png"))]
    (shop / "attributes.csv").write_text("\n".join(["file,colour", *(f"{file},warm" for file in files)]))
    description, _ = prepare(shop, tmp_path / "out", 32, quiet)
    assert description["attributes"] == {"colour_label": ["warm"], "pattern": ["plain"]}
    assert open_catalogue(tmp_path / "out").colours["colour"].shape == (3, 3)


def test_it_comes_out_the_same_every_time_in_one_process_or_many(once, tmp_path, monkeypatch):
    monkeypatch.setattr("prodgen.catalog.photographs.process_pool.MAX_INLINE", 0)
    prepare(once / "shop", tmp_path / "again", 64, quiet)
    for name in ("train.npy", "train.jsonl", "test.npy", "test.jsonl", "preview.png", "catalogue.json"):
        assert (once / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


PROGRAM = """
import sys
from pathlib import Path
from prodgen.catalog.photographs import process_pool
from prodgen.catalog.photographs.prepare import prepare

def report(what, done, total):
    print(what, done, flush=True)

if __name__ == "__main__":
    process_pool.MAX_INLINE = 0
    prepare(Path(sys.argv[1]), Path(sys.argv[2]), 32, report)
"""


def test_a_run_that_is_killed_leaves_nothing_that_looks_whole(shop, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py"), str(shop), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("Reading the pictures")
        process.kill()
    assert not (tmp_path / "out").exists()
    wait_until(lambda: not _alive(process.pid), "its processes live on", 20)
    prepare(shop, tmp_path / "out", 32, quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "program.py", "shop"]


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_leaves_nothing_behind(shop, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py"), str(shop), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.read()
    assert process.returncode != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program.py", "shop"]


def test_two_at_once_do_not_write_over_each_other(shop, tmp_path):
    asked = []

    def report(*_):
        if not asked:
            asked.append(True)
            with pytest.raises(Conflict, match="another process is writing"):
                prepare(shop, tmp_path / "out", 32, quiet)

    (tmp_path / "out").mkdir()  # an empty folder may be there
    prepare(shop, tmp_path / "out", 32, report)
    assert kind(tmp_path / "out") == "prepared"
    with pytest.raises(Conflict, match="is there already"):
        prepare(shop, tmp_path / "out", 32, quiet)


def test_bad_requests_are_one_sentence(once, tmp_path):
    shop = once / "shop"
    with pytest.raises(ProdgenError, match="size 4 is not from 16 to 512"):
        run("prepare", shop, "--out", tmp_path / "out", "--size", 4)
    with pytest.raises(ProdgenError, match="lies within"):
        run("prepare", shop, "--out", shop / "out")
    with pytest.raises(ProdgenError, match="is prepared data, not a folder of photographs"):
        run("prepare", once / "out", "--out", tmp_path / "out")
    for k in range(2):
        save(Image.new("RGB", (90, 90)), tmp_path / "blank" / f"{k}.png")
    with pytest.raises(ProdgenError, match="none of the 2 pictures can be cut out"):
        run("prepare", tmp_path / "blank", "--out", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["blank"]


def test_programs_read_what_was_prepared(shop, tmp_path):
    output = json.loads(run("prepare", shop, "--out", tmp_path / "out", "--size", 32, "--json")[0])
    assert output["splits"] == {"train": 3, "test": 3}
    assert output["set_aside"] == []
    shown = json.loads(run("show", tmp_path / "out", "--json")[0])
    assert (shown["kind"], shown["size"], shown["channels"]) == ("prepared", [32, 32], 4)
    assert shown["attributes"]["category"] == {"values": {"cold": 1, "warm": 2}, "unknown": 0}


def test_an_undecided_pattern_is_unknown(out):
    rows = read_jsonl(out / "train.jsonl")
    rows[1]["pattern"] = None
    (out / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert open_catalogue(out).labels["pattern"].tolist() == [0, UNKNOWN, 0]


def test_the_old_names_of_merged_categories_are_words_for_the_new_one(out):
    description = json.loads((out / "catalogue.json").read_text())
    (out / "catalogue.json").write_text(json.dumps(description | {"merged": {"hot": "warm", "mild": "warm"}}))

    schema = open_catalogue(out).schema()

    assert AttributeSchema.model_validate_json(schema.model_dump_json()) == schema
    assert schema.choices[0].synonyms == {"warm": ("hot", "mild")}


def test_another_size_and_channels_are_honoured(once):
    large = open_catalogue(once / "out", size=96).images
    assert large.shape == (3, 96, 96, 4)
    assert (large[..., :3] <= large[..., 3:]).all()
    on_white = open_catalogue(once / "out", channels=3).images
    assert (on_white[:, 0, 0] == 255).all()
    assert delta_e_2000(to_lab(on_white[1, 32, 32]), to_lab(RED)) < 4
    assert open_catalogue(once / "out", size=16, channels=1).images.shape == (3, 16, 16, 1)


def test_a_prepared_folder_that_is_not_whole_is_one_sentence(out):
    with pytest.raises(ProdgenError, match="has no split 'validation'; it has train, test"):
        open_catalogue(out, "validation")
    lines = (out / "train.jsonl").read_text().splitlines()
    (out / "train.jsonl").write_text("\n".join(lines[1:]) + "\n")
    with pytest.raises(ProdgenError, match=r"3 images in train\.npy and 2 rows in train\.jsonl"):
        open_catalogue(out)
    (out / "test.npy").write_bytes((out / "test.npy").read_bytes()[:500])
    with pytest.raises(ProdgenError, match=r"test\.npy cannot be read"):
        open_catalogue(out, "test")
    description = json.loads((out / "catalogue.json").read_text())
    (out / "catalogue.json").write_text(json.dumps(description | {"format": 2}))
    with pytest.raises(ProdgenError, match="is of format 2; this version reads 1"):
        open_catalogue(out)
    (out / "catalogue.json").write_text("{")
    with pytest.raises(ProdgenError, match="is not JSON"):
        open_catalogue(out)


def test_work_in_processes_that_is_abandoned_leaves_none_of_them() -> None:
    results = map_in_processes(str, "Reading", quiet, range(MAX_INLINE + 1))
    before = {process.pid for process in multiprocessing.active_children()}
    assert next(results) == "0"
    assert {process.pid for process in multiprocessing.active_children()} > before
    results.close()
    wait_until(
        lambda: {process.pid for process in multiprocessing.active_children()} <= before, "processes stay"
    )
