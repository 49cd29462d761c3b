"""Trainings with different numbers of processes can be compared."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from prodgen.training import checkpoint
from prodgen.training.watch.judge import CLASSIFIER
from tests.servers.up import clean_environment
from tests.toys import write_catalogue
from tests.training.test_families import RECIPES
from tests.training.torchrun import Torchrun

MORE = {
    "penalty": {"loss": "wasserstein", "gradient_penalty": 10.0, "augment": "rotation,scale,brightness"},
    "parts": {"family": "dcgan", "accumulate": 2},
    "free_bits": {"family": "vae", "free_bits": 0.3},
    "vaegan_parts": {"family": "vaegan", "accumulate": 2},
}
CASES = {family: {"family": family, **changes} for family, changes in RECIPES.items()} | MORE
RESUMED = ("resnet", "vae")
EXACT = 1e-8
"""Largest difference: Adam amplifies the rounding error of zero gradients (a bias before batch norm, say)."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("data") / "fashion", count=200, size=16)


@pytest.fixture(scope="module")
def worlds(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Train all cases with one process and with two; ``…-resumed`` start with one and continue with two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    halves = {f"{name}-resumed": CASES[name] for name in RESUMED}
    begun = {name: {**case, "until": 3} for name, case in halves.items()}
    (one / "cases.json").write_text(json.dumps({**CASES, **begun}))
    (two / "cases.json").write_text(json.dumps({**CASES, **halves}))
    words = ["tests.training.train_toys", one / "cases.json", data, one]
    subprocess.run([sys.executable, "-m", *map(str, words)], env=clean_environment(), check=True, timeout=200)
    shutil.copy(one / CLASSIFIER, two)
    for name in halves:
        shutil.copytree(one / name, two / name)
    Torchrun(two / "log", "tests.training.train_toys", two / "cases.json", data, two).succeed()
    return one, two


@pytest.mark.parametrize("name", CASES)
def test_two_processes_give_the_numbers_of_one(worlds: tuple[Path, Path], name: str) -> None:
    one, two = worlds
    assert_same(one / name, two / name)


@pytest.mark.parametrize("name", RESUMED)
def test_a_training_resumes_with_more_processes(worlds: tuple[Path, Path], name: str) -> None:
    one, two = worlds
    assert_same(one / name, two / f"{name}-resumed")


def assert_same(folder: Path, other: Path) -> None:
    """Compare losses, scores, random states and weights of two trainings."""
    lines, others = (list(map(json.loads, (f / "metrics.jsonl").open())) for f in (folder, other))
    assert len(lines) == len(others) == 8
    for line, another in zip(lines, others, strict=True):
        for changing in ("time", "images_per_second"):
            line.pop(changing, None), another.pop(changing, None)
        assert another == pytest.approx(line, rel=1e-5)  # a Fréchet distance is a difference of large numbers
    for name in (checkpoint.CHECKPOINT, checkpoint.BEST):
        states = [checkpoint.load(f / name) for f in (folder, other)]
        a, b = (state.get("run", state) for state in states)
        assert torch.equal(a["random"], b["random"])
        for part in ("modules", "ema"):
            expected, got = dict(tensors(a[part])), dict(tensors(b[part]))
            assert expected.keys() == got.keys()
            distances = {k: float((got[k] - t).abs().max()) for k, t in expected.items() if t.numel()}
            assert {k: d for k, d in distances.items() if d > EXACT} == {}


def tensors(node: dict[str, Any], at: str = "") -> Iterator[tuple[str, Tensor]]:
    for key, value in node.items():
        if isinstance(value, Tensor):
            yield f"{at}{key}", value
        else:
            yield from tensors(value, f"{at}{key}.")


def test_collectives_and_batch_normalisation(tmp_path: Path) -> None:
    Torchrun(tmp_path / "log", "tests.training.check_collectives", tmp_path).succeed()
