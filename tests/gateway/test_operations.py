"""Operators can start the gateway, watch it, and find a request in its log."""

import io
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_gateway import metrics
from api_gateway.routes import health
from prodgen import logs
from prodgen.jobs.record import load_record
from prodgen.ledger.ledger import Ledger
from tests.gateway.running import Client, Gateway
from tests.servers.process import wait_until

HEAVY = {"torch", "torchvision", "kornia", "safetensors", "huggingface_hub", "celery", "pandas", "scipy"}


def test_the_gateway_starts_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from api_gateway.app import create_app; create_app();"
        f"print(sorted({HEAVY!r} & {{m.partition('.')[0] for m in sys.modules}}))"
    )
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout.strip() == "[]"


def test_the_gateway_is_healthy_and_ready(anyone: httpx.Client, gateway: Gateway) -> None:
    public = gateway.settings.public_url
    assert anyone.get(f"{public}/healthz").json() == {"status": "ok"}
    assert anyone.get(f"{public}/readyz").json() == {"status": "ready"}
    for url in ("/healthz", "/readyz"):
        answer = anyone.head(public + url)
        assert (answer.status_code, answer.content) == (200, b"")


def test_health_is_answered_while_slow_requests_hold_every_thread(
    client: Client, anyone: httpx.Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "READY_SECONDS", 0)
    monkeypatch.setattr(metrics, "SECONDS", 0)
    slow, wait, public = 60, threading.Event(), gateway.settings.public_url
    started = threading.Semaphore(0)

    def hang(*_: object) -> list[object]:
        started.release()
        wait.wait()
        return []

    monkeypatch.setattr(Ledger, "jobs", hang)
    with ThreadPoolExecutor(slow) as pool:
        answers = [
            pool.submit(httpx.get, f"{public}/v1/jobs", headers=client.headers, timeout=200)
            for _ in range(slow)
        ]
        try:
            for _ in range(40):  # the threads of the gateway
                assert started.acquire(timeout=60)
            for url in ("/healthz", "/readyz", "/metrics"):
                assert anyone.get(public + url).status_code == 200
        finally:
            wait.set()
        assert {answer.result().status_code for answer in answers} == {200}


def test_metrics_count_requests_orders_and_backlog(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SECONDS", 0)
    client.order(count=7)
    client.order(count=3, priority="interactive")
    client.get("/nowhere/at/all")
    wait_until(lambda: 'route="unmatched"' in client.get("/metrics").text, "not counted")
    text = client.get("/metrics").text
    route = 'route="/v1/jobs",status="202"'
    assert re.search(rf'prodgen_http_requests_total{{method="POST",{route}}} \d', text)
    assert 'route="unmatched",status="404"' in text
    assert "/nowhere" not in text
    assert client.tenant not in text
    for name in (
        "submitted_images_total",
        "backlog_images",
        "backlog_seconds",
        "backlog_oldest_seconds",
        "leases",
        "leases_lost_total",
    ):
        for queue in ("bulk", "interactive"):
            value = re.search(rf'^prodgen_{name}{{queue="{queue}"}} (\S+)$', text, re.MULTILINE)
            assert value, name
            assert float(value[1]) > 0 or name.startswith("leases")
    assert re.search(
        r'^prodgen_backlog_model_seconds{model="shoes@\w+",queue="bulk"} \S+$', text, re.MULTILINE
    )
    assert "prodgen_ledger_up 1.0" in text


def test_every_answer_carries_a_request_id(client: Client) -> None:
    for url in ("/healthz", "/v1/jobs", "/nowhere"):
        assert re.fullmatch("[0-9a-f]{32}", client.get(url).headers["x-request-id"])
    assert client.get("/healthz", headers={"X-Request-ID": "shop-1"}).headers["x-request-id"] == "shop-1"
    forged = client.get("/healthz", headers={"X-Request-ID": 'x" injected'}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", forged)


@pytest.fixture
def access_log() -> Iterator[Callable[[str], dict[str, Any]]]:
    """Return the line that the one request for a path leaves in the log."""
    logger, stream = logging.getLogger("prodgen.access"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter("gateway"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    def find(path: str) -> dict[str, Any]:
        def lines() -> list[dict[str, Any]]:
            return [line for line in map(json.loads, stream.getvalue().splitlines()) if line["path"] == path]

        wait_until(lambda: len(lines()) == 1, "no line")  # the gateway writes the line after the answer
        return lines()[0]

    yield find
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


AccessLog = Callable[[str], dict[str, Any]]


def test_a_request_leaves_one_line_without_secrets(client: Client, access_log: AccessLog) -> None:
    answer = client.get("/v1/jobs", params={"signature": "a-signature"})
    line = access_log("/v1/jobs")
    assert (line["method"], line["status"], line["tenant"]) == ("GET", 200, client.tenant)
    assert (line["client"], line["request_id"]) == ("127.0.0.1", answer.headers["x-request-id"])
    assert line["ms"] > 0
    assert "a-signature" not in json.dumps(line)
    assert "pg_" not in json.dumps(line)


def test_the_log_of_a_request_names_its_job(client: Client, access_log: AccessLog) -> None:
    response = client.post("/v1/jobs", json={"model": "shoes"}, headers={"X-Request-ID": "order-7"})
    job = response.json()["id"]
    created = access_log("/v1/jobs")
    assert (created["job"], created["request_id"], created["tenant"]) == (job, "order-7", client.tenant)
    client.get(f"/v1/jobs/{job}")
    assert access_log(f"/v1/jobs/{job}")["job"] == job
    client.get("/v1/jobs/no-id")
    assert "job" not in access_log("/v1/jobs/no-id")


def test_a_job_keeps_the_id_of_its_request(client: Client, gateway: Gateway) -> None:
    response = client.post("/v1/jobs", json={"model": "shoes"}, headers={"X-Request-ID": "order-8"})
    assert load_record(gateway.store, client.tenant, response.json()["id"]).request_id == "order-8"


@pytest.mark.parametrize("url", ["/docs", "/openapi.json", "/healthz", "/v1/jobs", "/nowhere", "/metrics"])
def test_every_answer_carries_the_security_headers(client: Client, url: str) -> None:
    headers = client.get(url).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert ("default-src 'none'" in headers["content-security-policy"]) == (url != "/docs")


class Addresses(HTMLParser):
    """Collects the addresses that a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img"):
            self.found += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_documentation_needs_no_other_host(anyone: httpx.Client, gateway: Gateway) -> None:
    public = gateway.settings.public_url
    page = anyone.get(f"{public}/docs")
    assert page.status_code == 200
    parser = Addresses()
    parser.feed(page.text)
    assert len(parser.found) >= 2
    for address in parser.found:
        assert address.startswith("/")
        assert anyone.get(public + address).status_code == 200


def test_the_schema_describes_every_route(anyone: httpx.Client, gateway: Gateway) -> None:
    schema = anyone.get(f"{gateway.settings.public_url}/openapi.json").json()
    assert {
        "/v1/jobs",
        "/v1/jobs/{job}",
        "/v1/jobs/{job}/events",
        "/v1/jobs/{job}/images",
        "/v1/jobs/{job}/cancel",
        "/v1/uploads",
        "/v1/models",
        "/v1/models/{ref}",
    } < set(schema["paths"])
    send = schema["paths"]["/v1/jobs"]["post"]
    assert send["security"]
    assert "ErrorBody" in json.dumps(send["responses"]["4XX"])
    assert "422" not in send["responses"]
    summaries = [method["summary"] for path in schema["paths"].values() for method in path.values()]
    assert len(summaries) == len(set(summaries)), "two routes have the same summary"
    assert not {"Send", "Index", "Show"} & set(summaries), "a summary is a function's name"
    assert not {"object", "offset", "length"} & set(
        schema["components"]["schemas"]["ImageView"]["properties"]
    )


@pytest.mark.parametrize(
    ("method", "url", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/v1/jobs", 405, "method_not_allowed"),
        ("GET", "/v1/jobs?limit=x", 400, "invalid_request"),
    ],
)
def test_every_failure_has_the_same_form(
    client: Client, method: str, url: str, status: int, code: str
) -> None:
    assert client.error(method, url)[0] == status
    assert client.error(method, url)[1]["code"] == code
