"""The dashboard and the alerts use only metrics that the processes export."""

import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.compose import ROOT
from tests.deploy.test_helm import ALL, rendered
from tests.servers.process import Process, free_port, wait_until
from tests.servers.up import START_SECONDS
from tests.servers.valkey import ValkeyServer

DASHBOARD = ROOT / "deploy/monitoring/dashboard.json"
ALERTS = ROOT / "deploy/monitoring/alerts.yml"
PAGE = ROOT / "docs/reference/metrics.md"
DATABASE = 6
GPU = {"prodgen_worker_device_memory_bytes"}
"""Figures of processes that have a GPU."""
ADDED = {"instance", "job", "le"}
"""Labels that Prometheus adds, and that of buckets."""


@pytest.fixture(scope="module")
def exported(valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Metric]]:
    """Yield the metrics of a gateway, a worker and maintenance, which run as real processes."""
    folder, ports = tmp_path_factory.mktemp("monitoring"), [free_port() for _ in range(3)]
    environment = {
        "PRODGEN_REDIS_URL": valkey_server.url(DATABASE),
        "PRODGEN_STORE_URL": f"file://{folder / 'store'}",
        "PRODGEN_MODEL_CACHE": str(folder / "models"),
        "CUDA_VISIBLE_DEVICES": "",
    }
    celery = (sys.executable, "-m", "celery", "-A", "workers.app", "worker", "--pool", "threads", "-c", "2")
    commands = (
        (sys.executable, "-m", "api_gateway", "--port", str(ports[0])),
        (*celery, "-Q", "interactive,bulk", "-n", "worker@%h"),
        (*celery, "-Q", "maintenance", "-n", "maintenance@%h"),
    )
    processes = []
    for port, command in zip(ports, commands, strict=True):
        variables = {**environment, "PRODGEN_HEALTH_PORT": str(port)}.items()
        started = ("env", *(f"{name}={value}" for name, value in variables), *command)
        processes.append(Process(started, port, folder / f"log-{port}"))
    try:
        for process in processes:
            process.start()

        def ready() -> bool:
            try:
                return all(
                    httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).is_success for port in ports
                )
            except httpx.HTTPError:
                return False

        wait_until(ready, f"the processes are not ready; see {folder}", START_SECONDS)
        texts = [httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text for port in ports]
        yield [family for text in texts for family in text_string_to_metric_families(text)]
    finally:
        for process in processes:
            process.kill()


def queries() -> list[str]:
    """Return the expressions of the dashboard, of the alerts and of the chart's scalers."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    found += [rule["expr"] for rule in rules()]
    for (kind, _), one in rendered(ALL).items():
        if kind == "ScaledObject":
            found += [trigger["metadata"]["query"] for trigger in one["spec"]["triggers"]]
    return [query.replace("$__rate_interval", "5m") for query in found]


@cache
def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def named(query: str) -> tuple[list[tuple[str, set[str]]], set[str]]:
    """Return the figures that an expression selects, with the labels they match, and the labels of ``by``."""
    selected: list[tuple[str, set[str]]] = []
    grouped: set[str] = set()

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            selected.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            grouped.update(node.modifier.labels)
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    return selected, grouped


def documented() -> dict[str, set[str]]:
    """Return the labels of each figure in the tables of docs/reference/metrics.md."""
    rows = re.findall(r"^\| `(prodgen_\w+)` \| \w+ \| (.*?) ?\|", PAGE.read_text(), re.M)
    return {name: {*re.findall(r"`(\w+)`", labels)} for name, labels in rows}


def family_of(name: str) -> str:
    """Return the name under which a figure is documented."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def test_every_figure_that_processes_export_is_documented_with_its_labels(exported: list[Metric]) -> None:
    own = [family for family in exported if family.name.startswith("prodgen_")]
    totals = {f"{f.name}_total" if f.type == "counter" else f.name for f in own}
    assert {name for name in totals if not name.endswith("_created")} == documented().keys() - GPU
    for family in own:
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                assert {*sample.labels} - ADDED <= documented()[family_of(sample.name)], sample


def test_the_dashboard_the_alerts_and_the_scalers_ask_for_what_is_exported(exported: list[Metric]) -> None:
    processes = {family.name for family in exported} | {f"{f.name}_total" for f in exported}
    assert len(queries()) > 30
    for query in queries():
        selected, grouped = named(query)
        assert selected, query
        known: set[str] = set(ADDED)
        for name, labels in selected:
            family = family_of(name)
            assert family in documented().keys() | processes, query
            known |= documented().get(family, set())
            assert labels <= documented().get(family, set()) | ADDED, query
        assert grouped <= known, query


def test_every_alert_has_a_line_in_the_runbook() -> None:
    text = (ROOT / "docs/runbook.md").read_text()
    page = text[text.index("## Alerts") :]
    for rule in rules():
        assert f"| `{rule['alert']}` |" in page, rule["alert"]
        assert {*rule["annotations"]} == {"summary", "runbook"}
        assert rule["annotations"]["runbook"] == "docs/runbook.md#alerts"
        assert rule["labels"]["severity"] in {"critical", "warning"}
    lines = set(re.findall(r"^\| `(Prodgen\w+)` \|", page, re.M))
    assert lines == {rule["alert"] for rule in rules()}


def test_no_panel_lies_over_another_and_each_asks_something() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        own = {
            (place["x"] + column, place["y"] + row)
            for column in range(place["w"])
            for row in range(place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not own & taken, panel["title"]
        taken |= own
        assert panel["type"] == "row" or panel["targets"]
