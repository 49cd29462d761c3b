"""What a user would lose: the comparison of two runs, because one of them had more machines."""

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
from tests.training.test_trainer import ALL
from tests.training.torchrun import Torchrun

pytestmark = pytest.mark.timeout(400)  # on a busy machine torch alone takes ten seconds to import
MORE = {
    "penalty": {"loss": "wasserstein", "gradient_penalty": 10.0, "augment": "rotation,scale,brightness"},
    "pieces": {"family": "dcgan", "accumulate": 2},
    "bits": {"family": "vae", "free_bits": 0.3},
    "halves": {"family": "vaegan", "accumulate": 2},
}
CASES = {family: {"family": family, **changes} for family, changes in ALL.items()} | MORE
RESUMED = ("resnet", "vae")
EXACT = 1e-8
"""A gradient of zero is rounding error, which Adam enlarges: of a bias before batch normalisation, say."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("data") / "fashion", count=200, size=16)


@pytest.fixture(scope="module")
def worlds(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """All cases by one process, and by two; ``…-resumed`` begin with one and go on with two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    halves = {f"{name}-resumed": CASES[name] for name in RESUMED}
    begun = {name: {**case, "until": 3} for name, case in halves.items()}
    (one / "cases.json").write_text(json.dumps({**CASES, **begun}))
    (two / "cases.json").write_text(json.dumps({**CASES, **halves}))
    words = ["tests.training.train_toys", one / "cases.json", data, one]
    subprocess.run(
        [sys.executable, "-m", *map(str, words)], env=clean_environment(), check=True, timeout=200
    )
    shutil.copy(one / CLASSIFIER, two)
    for name in halves:
        shutil.copytree(one / name, two / name)
    Torchrun(two / "log", "tests.training.train_toys", two / "cases.json", data, two).succeed()
    return one, two


@pytest.mark.parametrize("name", CASES)
def test_two_processes_give_the_numbers_of_one(worlds: tuple[Path, Path], name: str) -> None:
    one, two = worlds
    same(one / name, two / name)


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_goes_on_with_more_processes_than_it_began_with(worlds: tuple[Path, Path], name: str) -> None:
    one, two = worlds
    same(one / name, two / f"{name}-resumed")


def same(folder: Path, other: Path) -> None:
    """Two runs saw the same losses and scores, and learnt the same."""
    lines, others = (list(map(json.loads, (f / "metrics.jsonl").open())) for f in (folder, other))
    assert len(lines) == len(others) == 8
    for line, another in zip(lines, others, strict=True):
        for changing in ("time", "images_per_second"):
            line.pop(changing, None), another.pop(changing, None)
        assert another == pytest.approx(line, rel=1e-5)  # a Fréchet distance is a difference of large numbers
    for name in (checkpoint.CHECKPOINT, checkpoint.BEST):
        mine, theirs = (checkpoint.load(f / name) for f in (folder, other))
        mine, theirs = mine.get("run", mine), theirs.get("run", theirs)
        assert torch.equal(mine["random"], theirs["random"])
        for part in ("modules", "ema"):
            expected, got = dict(tensors(mine[part])), dict(tensors(theirs[part]))
            assert expected.keys() == got.keys()
            far = {k: float((got[k] - t).abs().max()) for k, t in expected.items() if t.numel()}
            assert {k: d for k, d in far.items() if d > EXACT} == {}


def tensors(node: dict[str, Any], at: str = "") -> Iterator[tuple[str, Tensor]]:
    for key, value in node.items():
        if isinstance(value, Tensor):
            yield f"{at}{key}", value
        else:
            yield from tensors(value, f"{at}{key}.")


def test_processes_hear_each_other_and_normalise_by_the_whole_batch(tmp_path: Path) -> None:
    Torchrun(tmp_path / "log", "tests.training.check_collectives", tmp_path).succeed()
