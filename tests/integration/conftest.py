"""One stack for all integration tests."""

from collections.abc import Iterator

import pytest

from tests.servers.up import Up


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """``prodgen up`` with one worker of each kind."""
    with Up(tmp_path_factory.mktemp("integration") / "data", workers=1, training_workers=1) as stack:
        yield stack
