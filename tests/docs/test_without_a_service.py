"""The commands of pages that need no service do what the pages say."""

from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, name_of, needs_service, runs
from tests.docs.conftest import TIMEOUT, Run


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("page", [p for p in PAGES if runs(p) and not needs_service(p)], ids=name_of)
def test_the_commands_of_a_page_work(page: Path, run_page: Run) -> None:
    run_page(page, None)
