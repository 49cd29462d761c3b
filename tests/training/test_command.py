"""``prodgen train`` as users run it: interrupted, continued and started from a model."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from prodgen.training import checkpoint
from tests.servers.process import wait_until
from tests.servers.up import PRODGEN, clean_environment, run_here
from tests.toys import write_catalogue

SMALL = ["widths=[16, 8]", "latent_dim=16", "batch=16", "sample_every=1000", "precision=fp32"]


def command(data: Path, out: Path, *settings: str, recipe: str = "fashion-mnist") -> list[str]:
    options = [word for setting in (*SMALL, *settings) for word in ("--set", setting)]
    return ["train", recipe, "--data", str(data), "--out", str(out), *options]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("data") / "fashion", count=300, size=16)


def test_the_same_command_continues_an_interrupted_training(data: Path, tmp_path: Path) -> None:
    def train(steps: int) -> list[str]:
        often = ("evaluate_every=100000", "checkpoint_every=5")
        return command(data, tmp_path / "training", f"steps={steps}", *often)

    saved = tmp_path / "training" / "checkpoint.safetensors"
    process = subprocess.Popen(
        [PRODGEN, *train(10**5)], env=clean_environment(), stderr=subprocess.PIPE, text=True
    )
    wait_until(saved.exists, "no checkpoint is written")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "no model yet, none was evaluated" in errors
    assert "a classifier learns from the images" in errors

    steps = int(checkpoint.load(saved)["step"]) + 5
    done = run_here(*train(steps), "--json", environment=clean_environment())

    assert done.returncode == 0, done.stderr
    assert "going on from step" in done.stderr
    assert "a classifier learns" not in done.stderr
    assert json.loads(done.stdout) == {
        "step": steps,
        "steps": steps,
        "model": str(tmp_path / "training" / "model"),
    }
    generated = run_here(
        "generate",
        tmp_path / "training" / "model",
        "--count",
        2,
        "--out",
        tmp_path / "out",
        environment=clean_environment(),
    )
    assert generated.returncode == 0, generated.stderr
    assert len([*(tmp_path / "out").glob("0*.png")]) == 2


def test_a_trained_model_learns_new_categories(data: Path, tmp_path: Path) -> None:
    """Start from another model with one command and a folder of photographs for each category."""
    first = run_here(*command(data, tmp_path / "first", "steps=2"), environment=clean_environment())
    assert first.returncode == 0, first.stderr
    for k, colour in enumerate(["red", "green", "blue"]):
        (tmp_path / "photos" / colour).mkdir(parents=True)
        for n in range(20):
            Image.new("RGB", (40, 30 + n), (k * 90, n * 10, 255 - k * 90)).save(
                tmp_path / "photos" / colour / f"{n}.jpg"
            )
    words = command(tmp_path / "photos", tmp_path / "second", "steps=2", "size=16", "channels=1")

    second = run_here(*words, "--from", tmp_path / "first", environment=clean_environment())

    assert second.returncode == 0, second.stderr
    assert "begun with first@" in second.stderr
    assert "and its discriminator" in second.stderr
    config = json.loads((tmp_path / "second" / "model" / "config.json").read_text())
    assert config["attributes"]["attributes"][0]["values"] == ["blue", "green", "red"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--data", "nowhere"], "there is no folder nowhere"),
        (["--set", "batch=5000"], "fewer than a batch of 5000"),
        (["--set", "size=20", "--set", "widths=[8, 8, 8, 8]"], "size 20 is not 3 doublings"),
        (["--from", "nothing"], "there is no model 'nothing'"),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(
    data: Path, tmp_path: Path, change: list[str], words: str
) -> None:
    assert words in refused(*command(data, tmp_path / "training"), *change)


def test_a_model_of_another_family_is_refused(data: Path, tmp_path: Path) -> None:
    words = command(data, tmp_path / "training", recipe="fashion-mnist-vae")
    assert "is of family resnet, the recipe of vae" in refused(*words, "--from", "fashion-mnist")


def refused(*words: object) -> str:
    """Return the one sentence of a command that must fail."""
    done = run_here(*words, environment=clean_environment())
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr
