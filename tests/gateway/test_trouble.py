"""While a service is down the gateway answers 503 in one sentence, leaves nothing half done, and recovers."""

import errno
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from redis.backoff import NoBackoff
from redis.retry import Retry

from api_gateway import errors, metrics, sessions
from api_gateway.app import create_app
from api_gateway.routes import health
from api_gateway.waiting import CLIENT_CLOSED
from prodgen.access import KeyRing
from prodgen.errors import NoRoom, StoreUnavailable, Unavailable
from prodgen.jobs import submission
from prodgen.ledger.ledger import Ledger
from prodgen.registry.publish import publish
from prodgen.settings import Settings
from prodgen.storage.local import LocalStore
from tests.gateway.conftest import DATABASE
from tests.sample_models import write_model
from tests.servers.process import wait_until

if TYPE_CHECKING:
    from tests.servers.valkey import ValkeyServer


@pytest.fixture(autouse=True)
def no_old_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each health check and each scrape look at the services."""
    for module, name in ((health, "READY_SECONDS"), (health, "FAILED_SECONDS"), (metrics, "SECONDS")):
        monkeypatch.setattr(module, name, 0)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store", "secret", "http://gateway.test")
    publish(store, write_model(tmp_path / "shoes"), "shoes", None)
    return store


@pytest.fixture
def ledger(valkey_server: "ValkeyServer") -> Ledger:
    client = redis.Redis.from_url(valkey_server.url(DATABASE), retry=Retry(NoBackoff(), 0))
    return Ledger(client, prefix=f"trouble-{uuid.uuid4().hex}")


@pytest.fixture
def client(store: LocalStore, ledger: Ledger) -> TestClient:
    app = create_app(Settings(), store=store, ledger=ledger, ring=lambda queue, times: None)
    secret, _ = KeyRing(store).create("acme", ["generate"])
    return TestClient(app, headers={"Authorization": f"Bearer {secret}"}, raise_server_exceptions=False)


def refused(response: Any) -> str:
    """Check that a response is a 503, and return its sentence."""
    assert response.status_code == 503, response.text
    assert int(response.headers["retry-after"]) >= 1
    error = response.json()["error"]
    assert error["code"] == "unavailable"
    assert "\n" not in error["message"]
    return str(error["message"])


def ready(client: TestClient) -> None:
    wait_until(lambda: client.get("/readyz").status_code == 200, "not ready")


def test_redis_down_is_a_503_and_nothing_is_half_done(
    client: TestClient, store: LocalStore, valkey_server: "ValkeyServer"
) -> None:
    ready(client)
    job = client.post("/v1/jobs", json={"model": "shoes"}).json()["links"]["self"]
    before = [info.key for info in store.list("tenants/")]
    with valkey_server.down():
        assert "Redis" in refused(client.post("/v1/jobs", json={"model": "shoes"}))
        for url in ("/v1/jobs", job, f"{job}/events"):
            assert "Redis" in refused(client.get(url))
        assert valkey_server.password not in refused(client.get("/readyz"))
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/models").status_code == 200
        assert "prodgen_ledger_up 0.0" in client.get("/metrics").text
    assert [info.key for info in store.list("tenants/")] == before
    ready(client)
    assert client.post("/v1/jobs", json={"model": "shoes"}).status_code == 202


def test_store_down_is_a_503_and_nothing_is_half_done(
    client: TestClient, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(client)
    assert client.get("/v1/jobs").status_code == 200  # the key is known by now

    def down(*_: object) -> None:
        raise Unavailable("the object store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(health, "STORE_SECONDS", 0)
        for method in ("put", "put_file", "get", "stat", "check"):
            patch.setattr(LocalStore, method, down)
        assert refused(client.post("/v1/jobs", json={"model": "shoes"})) == "the object store does not answer"
        for url in ("/v1/models", f"/v1/jobs/{'0' * 24}/images"):
            assert refused(client.get(url)) == "the object store does not answer"
        assert refused(client.get("/readyz")) == "the object store does not accept writes"
        refused(client.post("/v1/uploads", content=b"sku\nA\n"))
        assert client.get("/v1/jobs").status_code == 200
        assert client.get("/healthz").status_code == 200
    assert ledger.jobs("acme") == []
    assert client.post("/v1/jobs", json={"model": "shoes"}).status_code == 202


def test_a_store_without_keys_signs_no_browser_out(
    client: TestClient, store: LocalStore, ledger: Ledger, tmp_path: Path
) -> None:
    (key,) = KeyRing(store).list()
    settings = Settings()
    other = LocalStore(tmp_path / "other", "secret", "http://gateway.test")
    empty = TestClient(create_app(settings, store=other, ledger=ledger, ring=lambda queue, times: None))
    secret = settings.secret_key.get_secret_value()
    cookie = {"Cookie": f"{sessions.COOKIE}={sessions.start(secret, key.digest)}"}
    assert "object store" in refused(empty.get("/v1/jobs", headers=cookie))
    assert empty.get("/v1/jobs", headers=client.headers).status_code == 401


@pytest.mark.parametrize(
    ("trouble", "repair", "sentence"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "the job ledger (Redis) is full"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "the job ledger (Redis) is a read-only replica"),
    ],
)
def test_a_redis_that_accepts_no_writes_is_not_ready(
    client: TestClient, valkey_server: "ValkeyServer", trouble: str, repair: str, sentence: str
) -> None:
    ready(client)
    server = valkey_server.client()
    server.execute_command(*trouble.split())
    try:
        assert refused(client.get("/readyz")) == sentence
        assert client.head("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
    finally:
        server.execute_command(*repair.split())
    ready(client)


def test_no_refusal_names_a_path_of_the_service(
    client: TestClient, store: LocalStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ready(client)
    root, unknown = Path(store._root), {"Authorization": f"Bearer pg_{'A' * 43}"}
    assert client.get("/v1/jobs").status_code == 200  # the key is known by now
    monkeypatch.setattr(health, "STORE_SECONDS", 0)
    root.rename(root.with_name("elsewhere"))
    root.symlink_to(root)  # each access fails with ELOOP
    for url in ("/v1/models", f"/v1/jobs/{'0' * 24}", f"/v1/jobs/{'0' * 24}/events"):
        assert refused(client.get(url)) == StoreUnavailable.for_clients
    for refusal in (
        client.post("/v1/jobs", json={"model": "shoes"}),
        client.post("/v1/uploads", content=b"sku\nA\n"),
        client.get("/v1/jobs", headers=unknown),
    ):
        assert refused(refusal) == StoreUnavailable.for_clients
    assert refused(client.get("/readyz")) == "the object store does not accept writes"
    assert f"the object store in {root} failed" in caplog.text


def test_a_full_disk_of_the_gateway_is_a_503(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/prodgen-items-x/items.jsonl")

    ready(client)
    order = {"model": "shoes", "items": [{"sku": "A"}]}
    with monkeypatch.context() as patch:
        patch.setattr(submission, "write_items", full)
        assert refused(client.post("/v1/jobs", json=order)) == NoRoom.for_clients
    assert client.post("/v1/jobs", json=order).status_code == 202


def test_the_services_are_checked_at_most_every_few_seconds(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "READY_SECONDS", 100)
    ready(client)
    checked: list[str] = []
    monkeypatch.setattr(LocalStore, "put", lambda _, key, data: checked.append(key))
    monkeypatch.setattr(Ledger, "epoch", lambda _: checked.append("epoch"))
    for _ in range(5):
        assert client.get("/readyz").status_code == 200
    assert checked == []


def test_a_wiped_ledger_is_rebuilt_and_every_job_is_where_it_was(client: TestClient, ledger: Ledger) -> None:
    ready(client)
    jobs = [client.post("/v1/jobs", json={"model": "shoes", "count": n}).json()["id"] for n in (3, 4, 5)]
    client.post(f"/v1/jobs/{jobs[1]}/cancel")
    ledger.client.delete(*ledger.client.keys(f"{ledger.prefix}*"))
    assert "rebuilt" in refused(client.post("/v1/jobs", json={"model": "shoes"}))
    ready(client)
    states = [client.get(f"/v1/jobs/{job}").json()["state"] for job in jobs]
    assert states == ["queued", "cancelled", "queued"]
    assert ledger.backlog("bulk").images == 8
    assert len(client.get("/v1/jobs").json()["data"]) == 3


def test_an_internal_error_shows_nothing_of_its_cause(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret insides")

    monkeypatch.setattr(Ledger, "jobs", broken)
    response = client.get("/v1/jobs", headers={"X-Request-ID": "mine-7"})
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert "mine-7" in response.json()["error"]["message"]
    assert "insides" not in response.text
    assert response.headers["x-request-id"] == "mine-7"
    assert "the secret insides" in caplog.text


def test_a_client_that_has_gone_is_no_failure_of_the_gateway() -> None:
    app = FastAPI()
    errors.install(app)

    @app.get("/")
    def gone() -> None:
        raise HTTPException(CLIENT_CLOSED, "the client has gone")

    assert TestClient(app).get("/").status_code == CLIENT_CLOSED
