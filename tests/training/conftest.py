"""Trainings that take a second."""

from collections.abc import Callable
from pathlib import Path

import pytest

from prodgen.catalog.catalogue import Catalogue
from prodgen.catalog.idx import load_idx
from prodgen.training import trainer as loop
from prodgen.training.methods.setup import Pretrained
from prodgen.training.recipes.recipe_files import make_recipe
from prodgen.training.trainer import Trainer
from prodgen.training.watch import review
from tests.toys import write_catalogue

SMALL = {"name": "toy", "widths": [16, 8], "latent_dim": 16, "batch": 16, "steps": 6}
SMALL |= {"evaluate_every": 4, "checkpoint_every": 2, "sample_every": 4}

MakeTrainer = Callable[..., Trainer]


@pytest.fixture(autouse=True)
def small_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate on few images, and log every step."""
    monkeypatch.setattr(review, "EVALUATION_IMAGES", 300)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = write_catalogue(tmp_path_factory.mktemp("catalogue"), count=200, size=16)
    return load_idx(folder)


@pytest.fixture
def make_trainer(catalogue: Catalogue, tmp_path: Path) -> MakeTrainer:
    """Make a trainer of the small recipe with changes, in a folder of its own."""

    def make(
        folder: str = "training",
        data: Catalogue = catalogue,
        pretrained: Pretrained | None = None,
        **changes: object,
    ) -> Trainer:
        recipe = make_recipe({**SMALL, **changes}, "test")
        return Trainer(recipe, data, tmp_path / folder, "cpu", pretrained)

    return make


def quiet(step: int, numbers: dict[str, float]) -> None:
    """Ignore a report."""


def never() -> bool:
    """Never stop."""
    return False
