from pathlib import Path

import pytest

from tests.toys import toy_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid model folder, for a test to break."""
    return toy_folder(tmp_path / "toy")
