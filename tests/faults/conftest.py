"""One stack for all faults; each test leaves it running."""

from collections.abc import Iterator

import pytest

from tests.servers.up import Up


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """``prodgen up`` with two workers, so that one may be lost."""
    with Up(tmp_path_factory.mktemp("faults") / "data", workers=2) as stack:
        yield stack
