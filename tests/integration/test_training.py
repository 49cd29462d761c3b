"""By command, through the service: data, a run, its model, the model's promotion and its images."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.servers.process import wait_until
from tests.servers.up import PATIENCE, Up
from tests.toys import write_catalogue

RECIPE = """
name = "toy"
family = "resnet"
widths = [16, 8]
latent_dim = 16
batch = 16
steps = 60
evaluate_every = 30
sample_every = 30
checkpoint_every = 20
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("circle")
    (folder / "toy.toml").write_text(RECIPE)
    write_catalogue(folder / "toys", count=200, size=16)
    return folder


def test_from_a_folder_to_images_of_ones_own_model(up: Up, place: Path, tmp_path: Path) -> None:
    toy, toys = place / "toy.toml", place / "toys"
    run = up.json("train", toy, "--queue", "--data", toys, "--name", "circle")
    assert (run["state"], run["steps"], run["name"]) == ("queued", 60, "circle")

    order = up.json("submit", "--model", "fashion-mnist", "--count", 100_000)["id"]
    training = (f"train circle on {run['data']}", f"run {run['id'][:6]}")

    def running() -> set[tuple[str, str]]:
        rows = [task for task in up.flower_tasks() if task["state"] == "STARTED"]
        return {(task["name"], " ".join(task["result"].split()[:2])) for task in rows}

    wait_until(
        lambda: {training, ("generate.bulk", f"job {order[:6]}")} <= running(),
        "Flower does not show the order and the training while they run",
        PATIENCE,
    )
    up.json("jobs", "cancel", order)

    watched = up.cli("training", "watch", run["id"], "--out", tmp_path / "samples")
    assert watched.returncode == 0, watched.stderr
    assert "succeeded at step 60" in watched.stderr
    assert [p.name for p in sorted((tmp_path / "samples").iterdir())] == ["0000030.png", "0000060.png"]
    assert Image.open(tmp_path / "samples" / "0000060.png").size[0] > 100

    summary = f"{training[1]}: succeeded at step 60, circle@"
    wait_until(
        lambda: any(task["result"].startswith(summary) for task in up.flower_tasks()),
        "Flower does not show the training's end",
        PATIENCE,
    )
    idle = [task for task in up.flower_tasks() if task["result"] in ("", "None", None)]
    assert not idle, "Flower shows doorbells that found no work"

    ended = up.json("training", "show", run["id"])
    assert (ended["state"], ended["step"], ended["restarts"]) == ("succeeded", 60, 0)
    assert ended["metrics"]["domain_fid"] > 0
    assert ended["model"].startswith("circle@")
    model = up.json("models", "show", "circle")  # the first version of a name gets both aliases
    assert model["aliases"] == ["latest", "production"]
    assert model["lineage"]["run"] == run["id"]
    assert model["lineage"]["recipe"]["widths"] == [16, 8]
    images = up.cli("submit", "--model", "circle", "--count", 5, "--out", tmp_path / "images")
    assert images.returncode == 0, images.stderr
    assert Image.open(tmp_path / "images" / "000000004.png").size == (16, 16)


def test_a_second_run_begins_with_the_first_and_is_promoted_by_its_figures(up: Up, place: Path) -> None:
    begun = ("--queue", "--data", "toys", "--name", "circle", "--from", "circle", "--set", "seed=5")
    begun += ("--set", "freeze=1")  # a layer of the discriminator of the model it starts from
    run = up.json("train", place / "toy.toml", *begun)
    assert up.cli("training", "watch", run["id"]).returncode == 0
    first, second = (up.json("models", "show", f"circle@{alias}") for alias in ("production", "latest"))
    assert second["lineage"]["begun_from"] == f"circle@{first['version']}"
    judges = {model["metrics"]["judge"] for model in (first, second)}
    assert len(judges) == 1, "a data set has one judge, so that figures compare"

    promoted = up.cli("models", "promote", "circle", "latest")
    better = second["metrics"]["domain_fid"] <= first["metrics"]["domain_fid"]
    assert promoted.returncode == (0 if better else 2), promoted.stderr
    assert better or "scores worse" in promoted.stderr
    now = second if better else first
    assert up.json("models", "show", "circle")["version"] == now["version"]


def test_the_service_measures_a_model_as_evaluate_does(up: Up, place: Path, tmp_path: Path) -> None:
    run = up.json("evaluate", "circle", "--data", place / "toys", "--queue", "--count", 60)
    version = up.json("models", "show", "circle")["version"]
    assert run["title"] == f"evaluate circle@{version} on {run['data']}"
    watched = up.cli("training", "watch", run["id"], "--out", tmp_path / "found")
    assert watched.returncode == 0, watched.stderr
    figures = up.json("training", "show", run["id"])["metrics"]["figures"]
    assert figures == json.loads((tmp_path / "found" / "metrics.json").read_text())["figures"]
    assert {"card.md", "samples.png"} <= {path.name for path in (tmp_path / "found").iterdir()}
    assert f"circle@{version}" in (tmp_path / "found" / "card.md").read_text()


def test_a_run_for_more_nodes_than_there_are_says_what_it_waits_for(up: Up, place: Path) -> None:
    queued = up.cli("train", place / "toy.toml", "--queue", "--data", place / "toys", "--nodes", 2)
    assert queued.returncode == 0, queued.stderr
    reason = "waits for 2 nodes with 1 GPU each, or without GPUs; 1 is alive"
    assert reason in queued.stderr
    newest = up.json("training", "list")[0]
    assert (newest["state"], newest["reason"]) == ("queued", reason)
    assert reason in up.cli("training", "show", newest["id"]).stdout
    assert up.json("training", "cancel", newest["id"])["state"] == "cancelled"


def test_bad_input_costs_no_run(up: Up, place: Path) -> None:
    def refused(*arguments: object, command: str = "train") -> str:
        done = up.cli(command, *arguments)
        assert (done.returncode, done.stdout) == (2, ""), done.stdout
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    before = len(up.json("training", "list"))
    toy, toys = place / "toy.toml", place / "toys"
    assert up.cli("data", "push", toys).returncode == 0
    assert "there is no recipe 'nope'" in refused("nope", "--queue", "--data", toys)
    assert "nor a data set" in refused(toy, "--queue", "--data", "nowhere")
    assert "cannot be divided among 3" in refused(toy, "--queue", "--data", "toys", "--procs-per-node", 3)
    assert "--queue" in refused(toy, "--data", toys, "--out", "x", "--nodes", 2)
    assert "--out" in refused(toy, "--data", toys)

    def unmeasured(*arguments: object) -> str:
        return refused(*arguments, command="evaluate")

    write_catalogue(place / "unsent", count=20, size=16)
    assert "there is no model 'nope'" in unmeasured("nope", "--data", place / "unsent", "--queue")
    assert "there is no model" in refused(toy, "--queue", "--data", place / "unsent", "--from", "nope")
    assert "unsent" not in {dataset["name"] for dataset in up.json("data", "list")}
    assert "--resize converts them" in unmeasured("fashion-mnist", "--data", "toys", "--queue")
    assert "differ in the values" in unmeasured("fashion-mnist", "--data", "toys", "--queue", "--resize")
    assert "are for evaluating here" in unmeasured("circle", "--data", "toys", "--queue", "--out", "x")
    assert len(up.json("training", "list")) == before
