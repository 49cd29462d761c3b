"""The commands of pages that queue runs work against a real service."""

from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, name_of, needs_service, queues_runs
from tests.docs.conftest import TIMEOUT, Run
from tests.servers.up import Up

QUEUED = [page for page in PAGES if needs_service(page) and queues_runs(page)]
LONG = ("docs/tutorials/train-and-compare.md", "docs/how-to/photographs-to-cut-outs.md")


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.soak] * (name_of(page) in LONG)) for page in QUEUED],
    ids=name_of,
)
def test_the_commands_of_a_page_work(page: Path, run_page: Run, service: Up) -> None:
    run_page(page, service)
