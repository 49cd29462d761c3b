"""A catalogue is cut out by a network where one is there, and categories that look alike are merged."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from prodgen.catalog.formats import open_catalogue
from prodgen.catalog.photographs.prepare import prepare
from prodgen.catalog.prepared_catalogue import read_jsonl
from prodgen.errors import ProdgenError
from prodgen.photographs import catalogue_cuts
from prodgen.photographs.catalogue_cuts import choose_cutter
from tests.catalog.photos import BLUE, RED, photo, save
from tests.catalog.test_data_cli import run
from tests.catalog.test_prepare import quiet, truth


class Middle:
    """A cutter that takes the middle of a photograph for the product, and its red for certain."""

    name = "middle"

    def probability(self, rgb: np.ndarray) -> np.ndarray:
        found = np.zeros(rgb.shape[:2], np.float32)
        height, width = found.shape
        found[height // 8 : -height // 8, width // 8 : -width // 8] = 0.5
        return np.where(np.abs(rgb.astype(int) - RED).sum(2) < 120, 1, found * 0.1).astype(np.float32)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for k, category in enumerate(("polo", "shirt", "blouse", "hat")):
        save(photo(RED if category != "hat" else BLUE, seed=k), tmp_path / "shop" / category / f"{k}.png")
    return tmp_path / "shop"


def test_a_network_cuts_the_catalogue_out_and_what_it_does_not_find_is_set_aside(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_cuts, "load_cutter", lambda *_: Middle())
    monkeypatch.setattr(catalogue_cuts, "_cutter", lambda *_: Middle())
    description, aside = prepare(shop, tmp_path / "out", 64, quiet, cutter=choose_cutter())
    assert (description["cutter"], description["splits"]) == ("middle", {"train": 3})
    assert [row["file"] for row in aside] == ["hat/3.png"]
    assert aside[0]["reason"] == "no product was found"
    catalogue = open_catalogue(tmp_path / "out")
    assert all(
        (one & truth(64)).sum() / (one | truth(64)).sum() > 0.86 for one in catalogue.images[..., 3] > 127
    )
    assert {row["pattern"] for row in read_jsonl(tmp_path / "out" / "train.jsonl")} == {"plain"}


def test_an_interrupted_preparation_goes_on_where_it_stopped(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_cuts, "load_cutter", lambda *_: Middle())
    monkeypatch.setattr(catalogue_cuts, "_cutter", lambda *_: Middle())
    seen = list[tuple[str, int, int]]()

    def stop(stage: str, done: int, total: int) -> None:
        seen.append((stage, done, total))
        if done == 4:
            raise KeyboardInterrupt

    out, cuts = tmp_path / "out", tmp_path / ".out.cuts"
    with pytest.raises(KeyboardInterrupt):
        prepare(shop, out, 64, stop, cutter=choose_cutter())
    images = np.load(cuts / "images.npy")
    images[2] = 0  # its file was not on the disk when the power failed
    np.save(cuts / "images.npy", images)
    seen.clear()
    prepare(shop, out, 64, lambda *now: seen.append(now), cutter=choose_cutter())
    assert seen == [("Cutting the products out", done, 4) for done in (2, 3, 4)]
    assert not cuts.exists()
    prepare(shop, tmp_path / "at-once", 64, quiet, cutter=choose_cutter())
    for name in ("train.npy", "train.jsonl", "set-aside.jsonl", "catalogue.json"):
        assert (out / name).read_bytes() == (tmp_path / "at-once" / name).read_bytes()


def test_merged_categories_are_one_value_and_the_catalogue_says_so(shop: Path, tmp_path: Path) -> None:
    merges = ["--merge", "polo,blouse=shirt", "--cutter", "grabcut"]
    run("prepare", shop, "--out", tmp_path / "out", "--size", "16", *merges, "--json")
    about = json.loads((tmp_path / "out" / "catalogue.json").read_text())
    assert about["attributes"]["category"] == ["hat", "shirt"]
    assert about["merged"] == {"polo": "shirt", "blouse": "shirt"}
    assert about["cutter"] == "grabcut"


@pytest.mark.parametrize(
    ("merge", "sentence"),
    [
        ("polos=shirt", "there is no category 'polos' to merge; there are blouse, hat, polo, shirt"),
        ("polo", "the merge 'polo' is not OLD,OLD=NEW, for instance polo,blouse=shirt"),
        ("polo=top,blouse=shirt", "the merge 'polo=top,blouse=shirt' is not OLD,OLD=NEW, for instance"),
    ],
)
def test_a_category_that_is_not_there_cannot_be_merged(
    shop: Path, tmp_path: Path, merge: str, sentence: str
) -> None:
    with pytest.raises(ProdgenError, match=re.escape(sentence)):
        run("prepare", shop, "--out", tmp_path / "out", "--merge", merge)
    assert not (tmp_path / "out").exists()


def test_a_cutter_whose_file_is_broken_is_refused_before_pictures_are_read(
    shop: Path, tmp_path: Path
) -> None:
    pytest.importorskip("rembg")
    (tmp_path / "u2netp.onnx").write_bytes(b"something else")
    with pytest.raises(ProdgenError, match="not the published file"):
        choose_cutter("u2netp", tmp_path)
