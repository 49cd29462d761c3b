from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from prodgen.storage.local import LocalStore
from tests.sample_models import write_model


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store", "secret", "http://gateway.test")


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a model folder; other ``weights`` make another version."""
    numbers = count()
    return lambda weights=b"", **config: write_model(tmp_path / f"model-{next(numbers)}", weights, **config)
