"""The gateway as an operator starts it: in its own process, with settings from the environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from prodgen.access import KeyRing
from prodgen.registry.publish import publish
from prodgen.storage.local import LocalStore
from tests.gateway.running import Client
from tests.sample_models import write_model
from tests.servers.process import free_port, wait_until

if TYPE_CHECKING:
    from tests.servers.valkey import ValkeyServer

DATABASE = 7
"""The database of the shared server. Doorbells are really sent here."""


@pytest.fixture
def client(tmp_path: Path, valkey_server: "ValkeyServer") -> Iterator[Client]:
    """Return a client of a gateway in another process, ``client.gateway``."""
    valkey_server.client(DATABASE).flushdb()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "PRODGEN_REDIS_URL": valkey_server.url(DATABASE),
        "PRODGEN_STORE_URL": f"file://{tmp_path / 'store'}",
        "PRODGEN_PUBLIC_URL": url,
    }
    store = LocalStore(tmp_path / "store", "secret", url)
    publish(store, write_model(tmp_path / "shoes"), "shoes", None)
    secret, _ = KeyRing(store).create("acme", ["generate"])
    command = [sys.executable, "-m", "api_gateway", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        gateway = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
    try:
        with Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=60) as client:
            wait_until(lambda: _is_ready(client), "the gateway does not start")
            client.gateway = gateway
            yield client
    finally:
        gateway.kill()
        gateway.wait()


def _is_ready(client: Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_an_order_rings_the_workers_and_a_listener_does_not_delay_the_shutdown(
    client: Client, valkey_server: "ValkeyServer"
) -> None:
    job = client.order(count=100)["id"]
    broker = valkey_server.client(DATABASE)
    wait_until(lambda: broker.llen("bulk") == 2, "no doorbell")

    events = client.events(job)
    assert next(events).data["state"] == "queued"
    client.gateway.send_signal(signal.SIGTERM)
    assert list(events) == []
    assert client.gateway.wait(timeout=60) in (0, -signal.SIGTERM)


def test_every_line_of_the_log_is_json(client: Client, tmp_path: Path) -> None:
    client.get("/v1/jobs?signature=secret")
    client.gateway.send_signal(signal.SIGTERM)
    client.gateway.wait(timeout=60)
    text = (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["process"] for line in lines} == {"gateway"}
    assert {"prodgen.access", "uvicorn.error"} <= {line["logger"] for line in lines}
    assert "secret" not in text


def test_a_frozen_ledger_delays_a_request_by_a_few_seconds(
    client: Client, valkey_server: "ValkeyServer"
) -> None:
    job = client.order(count=1)["id"]
    with valkey_server.frozen():
        for method, url in (("GET", "/v1/jobs"), ("GET", f"/v1/jobs/{job}"), ("GET", "/readyz")):
            status, error = client.error(method, url)
            assert (status, error["code"]) == (503, "unavailable")
            assert "Redis" in error["message"]
        assert client.get("/healthz").status_code == 200
    wait_until(lambda: _is_ready(client), "the gateway does not come back")
    assert client.get(f"/v1/jobs/{job}").status_code == 200
