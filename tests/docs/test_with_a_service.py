"""The commands of pages that speak to a service work against a real one."""

import re
from pathlib import Path

import httpx
import pytest

from tests.docs.blocks import PAGES, ROOT, name_of, needs_service, queues_runs, runs
from tests.docs.conftest import TIMEOUT, Run
from tests.servers.up import Up

SERVED = [page for page in PAGES if runs(page) and needs_service(page) and not queues_runs(page)]


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("page", SERVED, ids=name_of)
def test_the_commands_of_a_page_work(page: Path, run_page: Run, service: Up) -> None:
    run_page(page, service)


def test_every_key_of_a_store_is_in_the_reference(service: Up) -> None:
    table = (ROOT / "docs" / "reference" / "store.md").read_text()
    patterns = [
        re.escape(key).replace(r"\{", "{").replace(r"\}", "}")
        for key in re.findall(r"^\| `([^`]+)`", table, re.M)
    ]
    known = re.compile("|".join(re.sub(r"\{\w+\}", r"[^/]+", p).replace("…", ".+") for p in patterns))
    with service.client() as client:
        job = client.submit({"model": "fashion-mnist", "count": 2})["id"]
        for _ in client.watch(job):
            pass

    unknown = [info.key for info in service.store.list("") if not known.fullmatch(info.key)]

    assert unknown == []


def test_every_figure_of_the_gateway_is_in_the_reference(service: Up) -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    served = httpx.get(f"{service.url}/metrics", timeout=60).text

    names = {
        name for name in re.findall(r"^# TYPE (prodgen_\w+)", served, re.M) if not name.endswith("_created")
    }

    assert names
    assert {name for name in names if f"`{name}`" not in page} == set()
