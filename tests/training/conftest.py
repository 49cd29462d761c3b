"""Runs that take a second."""

from collections.abc import Callable
from pathlib import Path

import pytest

from prodgen.catalog.catalogue import Catalogue
from prodgen.catalog.idx import load_idx
from prodgen.training import trainer as loop
from prodgen.training.methods.transfer import Source
from prodgen.training.recipes.recipe_files import make_recipe
from prodgen.training.run import Run
from tests.toys import write_catalogue

SMALL = {"name": "toy", "widths": [16, 8], "latent_dim": 16, "batch": 16, "steps": 6}
SMALL |= {"evaluate_every": 4, "checkpoint_every": 2, "sample_every": 4}

MakeRun = Callable[..., Run]


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation of a toy needs no thousands; a look at every step sees what goes wrong at once."""
    monkeypatch.setattr(loop, "EVALUATED", 300)
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = write_catalogue(tmp_path_factory.mktemp("catalogue"), count=200, size=16)
    return load_idx(folder)


@pytest.fixture
def make_run(catalogue: Catalogue, tmp_path: Path) -> MakeRun:
    """A run in a folder of its own, of the small recipe with changes."""

    def make(
        folder: str = "run", data: Catalogue = catalogue, source: Source | None = None, **changes: object
    ) -> Run:
        return Run(make_recipe({**SMALL, **changes}, "test"), data, tmp_path / folder, "cpu", source)

    return make


def quiet(step: int, numbers: dict[str, float]) -> None:
    """Hear of a run's steps, and say nothing."""


def never() -> bool:
    """Whether to stop."""
    return False
