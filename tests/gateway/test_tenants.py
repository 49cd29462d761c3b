"""Only the right key sees, stops or fetches anything."""

import pytest

from tests.gateway.running import Client, Gateway


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
