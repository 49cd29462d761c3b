from pathlib import Path

import pytest

from tests.toys import toy_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound model folder, to be broken at will."""
    return toy_folder(tmp_path / "toy")
