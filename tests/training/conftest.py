"""Trainings that take a second."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.catalog.idx import load_idx
from prodgen.evaluation.classifier import DomainClassifier
from prodgen.training import trainer as loop
from prodgen.training.methods.setup import Pretrained
from prodgen.training.recipes.recipe_files import make_recipe
from prodgen.training.trainer import Trainer
from prodgen.training.watch import judge, review
from tests.toys import write_catalogue

SMALL = {"name": "toy", "widths": [16, 8], "latent_dim": 16, "batch": 16, "steps": 6}
SMALL |= {"evaluate_every": 4, "checkpoint_every": 2, "sample_every": 4}

MakeTrainer = Callable[..., Trainer]


@pytest.fixture(autouse=True)
def small_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate on few images, and log every step."""
    monkeypatch.setattr(review, "EVALUATION_IMAGES", 300)
    monkeypatch.setattr(review, "BATCH_NORM_IMAGES", 100)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)


@pytest.fixture(autouse=True, scope="session")
def judges() -> Iterator[None]:
    """Train the judge of a catalogue once for all tests: the same data and seed give the same judge."""
    train, trained = judge.train_judge, dict[tuple[object, ...], DomainClassifier]()

    def train_once(data: Catalogue, attribute: str | None, device: str, seed: int) -> DomainClassifier:
        key = (digest(data), attribute, device, seed)
        if key not in trained:
            trained[key] = train(data, attribute, device, seed)
        return copy.deepcopy(trained[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "train_judge", train_once)
        yield


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
