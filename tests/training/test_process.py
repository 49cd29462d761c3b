"""A training of several processes survives the death of one, and writes its result."""

import json
from pathlib import Path

import pytest

from prodgen.models import load_model
from prodgen.training import checkpoint
from prodgen.training.recipes.recipe_files import make_recipe
from prodgen.training.trainer import Trainer
from tests.servers.process import free_port, wait_until
from tests.toys import write_catalogue
from tests.training.conftest import SMALL, quiet
from tests.training.torchrun import Torchrun, progress, result

NEVER = {"evaluate_every": 10**6, "sample_every": 10**6}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("data") / "fashion", count=200, size=16)


def node(folder: Path, data: Path, *options: str, processes: int = 2, **changes: object) -> Torchrun:
    """Return the command of one node; writes its recipe beside its folder."""
    recipe = make_recipe({**SMALL, **NEVER, **changes}, "test")
    path = folder.with_suffix(".json")
    path.write_text(recipe.model_dump_json())
    words = ("prodgen.training.process", "--recipe", path, "--data", data, "--out", folder)
    return Torchrun(folder.with_suffix(".log"), *words, processes=processes, options=options)


@pytest.mark.soak
def test_a_training_survives_the_death_of_a_process_and_a_stop(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    endless = {"steps": 10**6, "checkpoint_every": 5}
    folder.mkdir()
    (folder / "result.json").write_text("{}")  # of an earlier training
    with node(folder, data, "--standalone", "--max-restarts", "1", **endless) as run:
        run.wait_for_step(folder, 50)
        assert not (folder / "result.json").exists()
        report = progress(folder)
        assert set(report["losses"]) == {"discriminator", "generator"}
        assert report["images"] == 16 * report["step"]
        assert report["seconds_left"] > 0
        [_, second] = before = run.ranks()
        second.kill()
        wait_until(lambda: len(run.ranks()) == 2 and run.ranks() != before, "no restart", 200)
        (folder / "progress.json").unlink()
        saved = int(checkpoint.load(folder / checkpoint.CHECKPOINT)["step"])
        run.wait_for_step(folder, saved + 20)
        assert not (folder / "result.json").exists()
        run.stop()
    stopped = result(folder)
    assert (stopped["outcome"], stopped["message"]) == ("stopped", None)
    assert checkpoint.load(folder / checkpoint.CHECKPOINT)["step"] == stopped["step"] > saved
    assert not (folder / "model").exists()

    node(folder, data, "--standalone", steps=stopped["step"] + 2, checkpoint_every=5).succeed()

    assert result(folder) == {"outcome": "finished", "step": stopped["step"] + 2, "message": None}
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").open()]
    assert steps == sorted(steps)
    assert load_model(folder / "model").config.family == "resnet"


def test_all_processes_stop_for_a_dead_discriminator(data: Path, tmp_path: Path) -> None:
    node(tmp_path / "training", data, "--standalone", steps=1000, decay=0.0, discriminator_lr=0.9).succeed()
    ended = result(tmp_path / "training")
    assert ended["outcome"] == "alarm"
    assert ended["message"].startswith("the discriminator is dead at step ")
    assert ended["step"] < 1000


def test_the_processes_die_with_torchrun(data: Path, tmp_path: Path) -> None:
    with node(tmp_path / "training", data, steps=10**6) as run:
        run.wait_for_step(tmp_path / "training", 1)
        ranks = run.ranks()
        run.process.kill()
        wait_until(lambda: not any(rank.is_running() for rank in ranks), "ranks outlive torchrun")


def test_every_node_resumes_from_the_first_nodes_folder(data, tmp_path, catalogue):
    changes = {"steps": 5, "checkpoint_every": 2}
    recipe = make_recipe({**SMALL, **NEVER, **changes}, "test")
    trainer = Trainer(recipe, catalogue, tmp_path / "a", "cpu")
    trainer.train(quiet, lambda: trainer.state.step == 3)
    port = str(free_port())
    address = ("--nnodes", "2", "--master-addr", "127.0.0.1", "--master-port", port, "--node-rank")
    nodes = [
        node(tmp_path / name, data, *address, str(k), processes=1, **changes) for k, name in enumerate("ab")
    ]
    with nodes[0], nodes[1]:
        assert [node.wait() for node in nodes] == [0, 0], nodes[1].log.read_text()
    a, b = tmp_path / "a", tmp_path / "b"
    for name in ("checkpoint.safetensors", "best.safetensors", "classifier.safetensors", "result.json"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name
    assert (a / "model" / "model.safetensors").read_bytes() == (
        b / "model" / "model.safetensors"
    ).read_bytes()
    assert result(b) == {"outcome": "finished", "step": 5, "message": None}
    assert [json.loads(line)["step"] for line in (b / "metrics.jsonl").open()][:3] == [1, 2, 3]


def test_a_recipe_that_does_not_fit_is_refused_with_the_reason(data: Path, tmp_path: Path) -> None:
    node(tmp_path / "training", data, batch=15).succeed()
    refused = result(tmp_path / "training")
    assert refused["outcome"] == "refused"
    assert refused["message"] == ("a batch of 15 cannot be divided among 2 processes; take a multiple of 2")
    assert [path.name for path in (tmp_path / "training").iterdir()] == ["result.json"]
