"""Prepare photographs on a service by command, and train on the cut-outs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.catalog.photos import BLUE, GREEN, RED, SHEET, WOOD, photo, save
from tests.integration.test_training import RECIPE
from tests.servers.process import wait_until
from tests.servers.up import Up


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty photographs of shirts of two kinds, and three useless pictures."""
    folder = tmp_path_factory.mktemp("photographs") / "shirts"
    for k in range(40):
        colour, ground = (RED, BLUE, GREEN)[k % 3], (WOOD, SHEET)[k // 3 % 2]
        stripe = (240, 240, 240) if k % 2 else None
        kind = "striped" if k % 2 else "plain"
        save(photo(colour, ground, seed=k, stripe=stripe), folder / kind / f"{k:02d}.jpg")
    (folder / "plain" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (folder / "plain" / "again.jpg").write_bytes((folder / "plain" / "00.jpg").read_bytes())
    save(Image.new("RGB", (150, 200), (9, 9, 9)), folder / "striped" / "dark.png")
    return folder


def test_from_photographs_to_a_model_of_cut_outs(up: Up, photos: Path, tmp_path: Path) -> None:
    options = "--cutter", "grabcut", "--merge", "plain=single colour"
    run = up.json("data", "prepare", photos, "--queue", "--size", 16, *options)
    assert (run["state"], run["steps"], run["name"]) == ("queued", 43, "shirts-16")
    assert run["title"] == f"prepare {run['data']} as shirts-16"
    watched = up.cli("training", "watch", run["id"], "--out", tmp_path / "pictures")
    assert watched.returncode == 0, watched.stderr
    assert {"preview.png", "left-out.png"} <= {path.name for path in (tmp_path / "pictures").iterdir()}

    ended = up.json("training", "show", run["id"])
    metrics: dict[str, Any] = ended["metrics"]
    assert (metrics["left_out"]["unreadable"], metrics["left_out"]["blank"]) == (1, 1)
    kept = sum(metrics["images"].values())
    assert kept >= 27
    named = {
        row["file"]
        for name in ("left-out.jsonl", "set-aside.jsonl")
        for row in map(json.loads, (tmp_path / "pictures" / name).read_text().splitlines())
    }
    assert {"plain/broken.jpg", "plain/again.jpg", "striped/dark.png"} <= named  # each is named
    assert len(named) == 43 - kept

    [made] = [d for d in up.json("data", "list") if d["id"] == ended["dataset"]]
    assert made["summary"]["kind"] == "prepared"
    assert made["summary"]["size"] == [16, 16]
    assert made["summary"]["colours"] == ["colour"]
    (tmp_path / "toy.toml").write_text(RECIPE)
    trained = up.json("train", tmp_path / "toy.toml", "--queue", "--data", "shirts-16", "--name", "shirts")
    assert up.cli("training", "watch", trained["id"]).returncode == 0
    ordered = up.cli(
        "submit", "--model", "shirts", "--attr", "category=single colour", "--attr", "colour=crimson",
        "--count", 2, "--out", tmp_path / "images",
    )  # fmt: skip
    assert ordered.returncode == 0, ordered.stderr
    image = np.asarray(Image.open(tmp_path / "images" / "000000001.png"))
    assert image.shape == (16, 16, 4)


@pytest.mark.soak
def test_a_preparation_outlives_its_process_and_its_pause(up: Up, photos: Path) -> None:
    run = up.json("data", "prepare", photos, "--queue", "--size", 24)["id"]
    with up.client() as client:
        wait_until(lambda: bool(client.run(run)["step"]), "the run does not start")
        [process] = up.running("prodgen.runs.preparer")
        process.kill()
        wait_until(lambda: client.run(run)["restarts"] == 1, "the run does not continue")
        client.command(run, "pause")
        wait_until(lambda: client.run(run)["state"] == "paused", "the run does not pause")
        assert not up.running("prodgen.runs.preparer")
        client.command(run, "resume")
        list(client.watch_run(run))
        ended = client.run(run)
    assert ended["dataset"].startswith("shirts-24@")
    assert ended["step"] == 43


def test_what_cannot_be_prepared_is_refused(up: Up, photos: Path, tmp_path: Path) -> None:
    def refused(*arguments: object) -> str:
        done = up.cli(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), done.stdout
        assert done.stderr.count("prodgen: ") == 1, done.stderr
        return done.stderr

    prepare = ("data", "prepare", photos)
    assert "there is no flag 'ugly'" in refused(*prepare, "--queue", "--drop", "ugly")
    assert "size 9 is not from 16 to 512" in refused(*prepare, "--queue", "--size", 9)
    assert "--out is for preparing here" in refused(*prepare, "--queue", "--out", tmp_path / "x")
    assert "--queue the run" in refused(*prepare)
    assert "are for --queue" in refused(*prepare, "--out", tmp_path / "x", "--name", "x")
    assert "nor a data set" in refused("data", "prepare", "nowhere", "--queue")
    pushed = up.cli("data", "push", photos, "--name", "raw")
    assert pushed.returncode == 0
    assert "can be prepared, but not trained on: 1 of the 43 pictures" in pushed.stderr
    (tmp_path / "toy.toml").write_text(RECIPE)
    train = ("train", tmp_path / "toy.toml", "--queue", "--data")
    assert "cannot be used before it is prepared" in refused(*train, "raw")
    assert "1 of the 43 pictures" in refused(*train, photos)
    assert json.loads(up.cli("data", "list", "--json").stdout)[0]["summary"]["flaw"]
