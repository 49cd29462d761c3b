"""Only the right key sees, stops or fetches anything."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from prodgen import tenants
from prodgen.client import Client as Service
from prodgen.errors import ProdgenError
from prodgen.tenants import recent_grant, set_grant
from tests.gateway.running import Client, Gateway
from tests.servers.process import wait_until


@pytest.mark.parametrize("path", ["", "/events", "/images", "/cancel"])
def test_another_tenants_job_is_not_found(client: Client, stranger: Client, path: str) -> None:
    job = client.order(count=3)["id"]
    method = "POST" if path == "/cancel" else "GET"
    status, error = stranger.error(method, f"/v1/jobs/{job}{path}")
    assert (status, error["code"]) == (404, "not_found")
    missing = stranger.error(method, f"/v1/jobs/{'0' * 24}{path}")
    assert missing[1]["message"] == error["message"].replace(job, "0" * 24)
    assert stranger.get("/v1/jobs").json()["data"] == []
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "queued"


@pytest.mark.parametrize("job", ["x", "..%2f..%2fsystem", "0" * 24, "%00", "A" * 300])
def test_a_job_id_is_nothing_but_an_id(client: Client, job: str) -> None:
    assert client.error("GET", f"/v1/jobs/{job}")[0] == 404


def test_another_tenants_upload_is_not_found(client: Client, stranger: Client) -> None:
    upload = client.post("/v1/uploads", content=b"sku\nA\n").json()["id"]
    status, error = stranger.error("POST", "/v1/jobs", json={"model": "shoes", "upload": upload})
    assert (status, error["param"]) == (404, "upload")


def test_idempotency_keys_of_two_tenants_do_not_clash(client: Client, stranger: Client) -> None:
    headers = {"Idempotency-Key": "1"}
    mine = client.post("/v1/jobs", json={"model": "shoes", "count": 3}, headers=headers)
    theirs = stranger.post("/v1/jobs", json={"model": "shoes", "count": 4}, headers=headers)
    assert theirs.status_code == 202
    assert mine.json()["id"] != theirs.json()["id"]


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer x", "Bearer pg_" + "A" * 43, "Basic cGc6cGc=", "Bearer pg_é"],
)
@pytest.mark.parametrize("url", ["/v1/jobs", "/v1/models", "/v1/models/shoes", f"/v1/jobs/{'0' * 24}/events"])
def test_without_a_valid_key_every_route_answers_401(
    client: Client, url: str, authorization: str | None
) -> None:
    del client.headers["Authorization"]
    headers = {} if authorization is None else {b"Authorization": authorization.encode()}
    status, error = client.error("GET", url, headers=headers)
    assert (status, error["code"]) == (401, "unauthorized")
    assert client.get(url, headers=headers).headers["www-authenticate"] == "Bearer"


def test_a_revoked_key_is_refused(client: Client, gateway: Gateway) -> None:
    assert client.get("/v1/jobs").status_code == 200
    key = next(key for key in gateway.keys.list() if key.tenant == client.tenant)
    gateway.keys.revoke(key.id)
    assert client.get("/v1/jobs").status_code == 401


def test_a_key_allows_what_its_scopes_name(gateway: Gateway) -> None:
    with gateway.client("trainers", ["train"]) as trainer:
        assert trainer.get("/v1/models").status_code == 200
        assert trainer.post("/v1/uploads", content=b"x").status_code == 201
        status, error = trainer.error("POST", "/v1/jobs", json={"model": "shoes"})
        assert (status, error["code"]) == (403, "forbidden")
        assert "scope generate" in error["message"]
    with gateway.client("promoters", ["promote"]) as promoter:
        assert promoter.error("POST", "/v1/uploads", content=b"x")[0] == 403
    with gateway.client("admins", ["admin"]) as admin:
        assert admin.post("/v1/jobs", json={"model": "shoes"}).status_code == 202


@pytest.fixture
def grant(client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets limits of the client's tenant, and waits until the gateway applies them."""
    monkeypatch.setattr(tenants, "CACHE_SECONDS", 0.0)

    def grant(**limits: float) -> None:
        wanted, store = set_grant(gateway.store, client.tenant, **limits), gateway.app.state.deployment.store
        wait_until(lambda: recent_grant(store, client.tenant) == wanted, "the grant is not known")

    return grant


@pytest.mark.usefixtures("one_day")
def test_a_refusal_says_which_limit_and_when_to_come_back(client: Client, grant: Callable[..., None]) -> None:
    grant(images_per_day=10)
    client.order(count=8)
    answer = client.post("/v1/jobs", json={"model": "shoes", "count": 3})
    assert (answer.status_code, answer.json()["error"]["param"]) == (429, "images_per_day")
    assert 3 < int(answer.headers["Retry-After"]) <= 86400
    status, error = client.error("POST", "/v1/jobs", json={"model": "shoes", "count": 11})
    assert (status, error["code"]) == (403, "forbidden")
    assert client.get("/v1/jobs").json()["data"][1:] == []


def test_requests_and_streams_have_limits_and_a_client_waits_a_second(
    client: Client, gateway: Gateway, grant: Callable[..., None]
) -> None:
    job = client.order()["id"]
    grant(requests_per_second=3, event_streams=1)
    with ThreadPoolExecutor(12) as pool:
        answers = [*pool.map(lambda _: client.get("/v1/jobs"), range(48))]
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["error"]["message"].startswith(
        "this tenant may send 3 requests a second; send this"
    )
    with Service(str(client.base_url), client.key) as service:
        wait_until(lambda: client.get("/v1/jobs").status_code == 200, "no request is allowed")
        wait_until(lambda: _first_job(service) == job, "the first request is refused")
        assert [service.job(job)["id"] for _ in range(5)] == [job] * 5
    grant(requests_per_second=1000)
    with client.stream("GET", f"/v1/jobs/{job}/events") as stream:
        lines = stream.iter_lines()
        next(lines)
        assert client.error("GET", f"/v1/jobs/{job}/events")[1]["message"].startswith("1 event streams of")


def _first_job(service: Service) -> str | None:
    with suppress(ProdgenError):
        return str(next(service.jobs())["id"])
    return None


def test_a_full_tenant_uploads_nothing(client: Client, gateway: Gateway, grant: Callable[..., None]) -> None:
    grant(store_mb=1)
    gateway.ledger.client.hset(f"prodgen:stored:{client.tenant}", mapping={"bytes": 2 << 20})
    status, error = client.error("POST", "/v1/uploads", content=b"sku\nA\n")
    assert (status, error["param"]) == (403, "store_mb")
