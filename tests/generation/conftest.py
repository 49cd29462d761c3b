from collections.abc import Iterator
from pathlib import Path

import pytest

from prodgen.generation.engine import Engine
from prodgen.models import SavedModel
from tests.toys import toy_model


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    """A grey model of 16 x 16 pixels; no test may change it."""
    return toy_model(tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine for one test."""
    with Engine("cpu") as engine:
        yield engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "toy"
