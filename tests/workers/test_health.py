"""A worker answers how it is over HTTP."""

import httpx
import pytest

from workers import health


def test_health_and_readiness_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[health.Check] = []
    ready: list[health.Check] = []
    monkeypatch.setattr(health, "ALIVE", alive)
    monkeypatch.setattr(health, "READY", ready)
    server = health.serve("127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        assert [httpx.get(f"{url}/{name}").status_code for name in ("healthz", "readyz")] == [200, 200]
        ready.append(lambda: "the worker is starting")
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert (httpx.get(f"{url}/readyz").status_code, httpx.get(f"{url}/readyz").text) == (
            503,
            "the worker is starting",
        )
        alive.append(lambda: "the device has hung for 130 s")
        assert httpx.get(f"{url}/healthz").text == "the device has hung for 130 s"
        metrics = httpx.get(f"{url}/metrics").text
        assert "process_resident_memory_bytes" in metrics
    finally:
        server.shutdown()
