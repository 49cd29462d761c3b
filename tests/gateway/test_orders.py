"""An order that was answered with 202 is stored and counted, and only its tenant sees it."""

import re
from datetime import datetime, timedelta

import pytest

from prodgen import tenants
from prodgen.registry.versions import resolve
from prodgen.settings import Settings
from prodgen.storage.local import LocalStore
from tests.gateway.running import Client, Gateway
from tests.servers.process import wait_until


def test_an_order_is_accepted_and_shown(client: Client, gateway: Gateway) -> None:
    wanted = {"category": ["bag", "sneaker"]}
    response = client.post("/v1/jobs", json={"model": "shoes", "count": 100, "attributes": wanted})
    assert response.status_code == 202
    job = response.json()
    assert re.fullmatch("[0-9a-f]{24}", job["id"])
    assert response.headers["location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert (job["object"], job["state"], job["total"], job["done"]) == ("job", "queued", 200, 0)
    assert job["model"] == resolve(gateway.store, "shoes", None).id
    assert job["request"]["attributes"] == wanted
    shown = client.get(response.headers["location"])
    assert shown.status_code == 200
    assert shown.json() == job


def test_an_order_in_words_has_the_values_that_were_read(client: Client) -> None:
    wish = {"model": "shoes", "prompt": "three red handbags"}
    reading = client.post("/v1/prompts", json=wish).json()
    assert (reading["attributes"], reading["count"]) == ({"category": ["bag"]}, 3)
    assert reading["unread"] == ["red"]
    headers = {"Idempotency-Key": "words"}
    job = client.post("/v1/jobs", json=wish, headers=headers).json()
    assert (job["total"], job["reading"]) == (3, reading)
    assert (job["request"]["prompt"], job["request"]["attributes"]) == (wish["prompt"], {"category": ["bag"]})
    assert client.post("/v1/jobs", json=wish, headers=headers).json() == job
    status, error = client.error("POST", "/v1/jobs", json={"model": "shoes", "prompt": "a scarf"})
    assert (status, error["param"]) == (400, "prompt")
    assert "shoes makes no scarf" in error["message"]


def test_doorbells_ring_for_each_cell_up_to_a_limit(client: Client, gateway: Gateway) -> None:
    gateway.bells.clear()
    client.order(count=65)
    client.order(count=3, priority="interactive")
    client.order(count=64 * 17)
    rung = {("bulk", 2), ("bulk", 16), ("interactive", 1)}
    wait_until(lambda: rung <= {*gateway.bells}, "no bell")


def test_a_doorbell_that_fails_loses_no_order(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(gateway.app.state.deployment, "ring_doorbells", broken)
    job = client.order(count=3)
    assert client.get(f"/v1/jobs/{job['id']}").json()["state"] == "queued"


def test_a_repeated_request_is_the_same_job(client: Client) -> None:
    order, headers = {"model": "shoes", "count": 3}, {"Idempotency-Key": "order 7"}
    first = client.post("/v1/jobs", json=order, headers=headers)
    again = client.post("/v1/jobs", json=order, headers=headers)
    assert again.status_code == 202
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_the_same_key_for_another_order_is_refused(client: Client) -> None:
    headers = {"Idempotency-Key": "order 7"}
    client.post("/v1/jobs", json={"model": "shoes", "count": 3}, headers=headers)
    status, error = client.error("POST", "/v1/jobs", json={"model": "shoes", "count": 4}, headers=headers)
    assert (status, error["code"], error["param"]) == (409, "conflict", "Idempotency-Key")
    assert [job["total"] for job in client.get("/v1/jobs").json()["data"]] == [3]


def test_every_faulty_row_is_named(client: Client) -> None:
    items = [{"sku": "A", "attributes": {"category": "bag"}}] + [
        {"sku": "B" * 200, "attributes": {"category": "x" * 200}} for _ in range(130)
    ]
    order = {"model": "shoes", "items": items}
    status, error = client.error("POST", "/v1/jobs", json=order)
    assert (status, error["param"], error["more"]) == (400, "item 2, column category", 30)
    assert "(and 129 more rows cannot be made)" in error["message"]
    assert [one["param"] for one in error["details"]] == [f"item {n}, column category" for n in range(2, 102)]
    assert max(len(one["message"]) for one in error["details"]) <= 500
    assert not client.get("/v1/jobs").json()["data"]


def test_one_faulty_row_has_no_list(client: Client) -> None:
    order = {"model": "shoes", "items": [{"sku": "A", "attributes": {"category": "boot"}}]}
    assert set(client.error("POST", "/v1/jobs", json=order)[1]) == {"type", "code", "message", "param"}


def test_a_stream_of_interactive_orders_is_refused_with_429(client: Client, settings: Settings) -> None:
    order = {"model": "shoes", "count": 1, "priority": "interactive"}
    for _ in range(settings.max_interactive_orders):
        client.post("/v1/jobs", json=order).raise_for_status()
    refused = client.post("/v1/jobs", json=order)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert client.post("/v1/jobs", json={**order, "priority": "bulk"}).status_code == 202


def test_without_a_key_two_orders_are_two_jobs(client: Client) -> None:
    assert client.order(count=3)["id"] != client.order(count=3)["id"]


@pytest.mark.parametrize(
    ("order", "param", "message"),
    [
        ({"model": "hats"}, "model", "there is no model 'hats'; there are shoes"),
        ({"model": "shoes@beta"}, "model", "shoes has no version or alias 'beta'"),
        ({"model": "../shoes"}, "model", "'../shoes' is not a valid name"),
        ({}, "model", "model is missing"),
        (
            {"model": "shoes", "attributes": {"hue": "red"}},
            "attributes.hue",
            "this model has no attribute 'hue'",
        ),
        (
            {"model": "shoes", "attributes": {"category": "boot"}},
            "attributes.category",
            "category cannot be 'boot'; this model makes t-shirt, sneaker, bag",
        ),
        (
            {"model": "shoes", "attributes": {"category": []}},
            "attributes.category",
            "category lists no value",
        ),
        (
            {"model": "shoes", "attributes": {"category": 3}},
            "attributes.category",
            "attributes.category must be",
        ),
        ({"model": "shoes", "count": 0}, "count", "count must be at least 1, not 0"),
        ({"model": "shoes", "count": 10**30}, "count", "this order asks for 1,000,000,000,000"),
        ({"model": "shoes", "count": "many"}, "count", "count must be a whole number, not 'many'"),
        ({"model": "shoes", "seed": -1}, "seed", "seed must be at least 0, not -1"),
        ({"model": "shoes", "seed": 2**53}, "seed", "seed must be at most 9007199254740991"),
        ({"model": "shoes", "priority": "now"}, "priority", "priority must be 'interactive' or 'bulk'"),
        (
            {"model": "shoes", "count": 65, "priority": "interactive"},
            "priority",
            "this order asks for 65 images",
        ),
        ({"model": "shoes", "colour": "red"}, "colour", "there is no field colour"),
        (
            {"model": "shoes", "finish": {"background": "bleu"}},
            "finish.background",
            "finish.background: 'bleu'",
        ),
        ({"model": "shoes", "finish": {"size": 9999}}, "finish.size", "finish.size must be at most 2048"),
        ({"model": "shoes", "finish": {"upscale": 3}}, "finish.upscale", "finish.upscale must be 4, not 3"),
        ({"model": "shoes", "finish": {"upscale": 4}}, "finish.upscale", "upscale is for models of colour"),
        ({"model": "shoes", "items": [{"sku": ""}]}, "items.1.sku", "items.1.sku is empty"),
        ({"model": "shoes", "items": []}, "items", "items is empty"),
        ({"model": "shoes", "upload": "x"}, "upload", "upload: "),
        ({"model": "shoes", "upload": "0" * 64}, "upload", "there is no upload 0000"),
    ],
)
def test_an_order_that_cannot_be_made_is_refused_in_one_sentence(
    client: Client, store: LocalStore, order: dict[str, object], param: str, message: str
) -> None:
    status, error = client.error("POST", "/v1/jobs", json=order)
    assert status in (400, 404)
    assert error["param"] == param
    assert error["message"].startswith(message)
    assert client.get("/v1/jobs").json()["data"] == []
    assert list(store.list(f"tenants/{client.tenant}/")) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the request is not JSON"),
        (b"\xff", "the request is not UTF-8 text"),
        (b"[" * 100_000, "the request nests objects and lists more than 32 deep"),
        (b"3", "the request: "),
        (b"", "the request is missing"),
        (b'{"model": "\\ud800"}', "the request holds half of a surrogate pair"),
        (b'{"model": "shoes", "\\ud800": 1}', "the request holds half of a surrogate pair"),
    ],
)
def test_a_body_that_is_no_order_is_refused(client: Client, body: bytes, message: str) -> None:
    headers = {"Content-Type": "application/json"}
    status, error = client.error("POST", "/v1/jobs", content=body, headers=headers)
    assert (status, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith(message)


def test_a_body_too_large_is_refused_before_it_is_read(client: Client) -> None:
    def endless() -> object:
        yield b'{"model": "'
        for _ in range(64):
            yield b"x" * 65536

    for body in (b" " * (2 << 20), endless()):
        status, error = client.error(
            "POST", "/v1/jobs", content=body, headers={"Content-Type": "application/json"}
        )
        assert (status, error["code"]) == (413, "too_large")
        assert "/v1/uploads" in error["message"]


def test_jobs_are_listed_newest_first_page_by_page(client: Client) -> None:
    ids = [client.order(count=n)["id"] for n in range(1, 6)]
    seen, after = [], None
    while True:
        page = client.get("/v1/jobs", params={"limit": 2, **({"after": after} if after else {})}).json()
        assert page["object"] == "list"
        seen += [job["id"] for job in page["data"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ids[::-1]
    status, error = client.error("GET", "/v1/jobs", params={"limit": 0})
    assert (status, error["message"]) == (400, "limit must be at least 1, not '0'")


def test_a_cancel_is_in_the_store_when_it_is_answered(client: Client, store: LocalStore) -> None:
    job = client.order(count=1000)["id"]
    answer = client.post(f"/v1/jobs/{job}/cancel")
    assert answer.status_code == 200
    assert answer.json()["state"] == "cancelled"
    assert b'"cancelled"' in store.get(f"tenants/{client.tenant}/jobs/{job}/state.json")
    assert client.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"


def test_a_complete_job_cannot_be_cancelled(client: Client, gateway: Gateway) -> None:
    job = client.order(count=3)["id"]
    gateway.work(client.tenant, job)
    answer = client.post(f"/v1/jobs/{job}/cancel").json()
    assert (answer["state"], answer["done"]) == ("succeeded", 3)


def test_a_job_that_a_restarted_ledger_forgot_is_still_shown_and_cancelled(
    client: Client, gateway: Gateway
) -> None:
    job = client.order(count=3)["id"]
    redis = gateway.ledger.client
    redis.delete(*redis.keys(f"{gateway.ledger.prefix}*{job}*"))
    assert gateway.ledger.progress(job) is None
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "queued"
    assert client.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"


def test_a_deleted_job_can_be_restored_and_its_key_orders_nothing(client: Client, gateway: Gateway) -> None:
    headers = {"Idempotency-Key": "tuesday"}
    job = client.post("/v1/jobs", json={"model": "shoes", "count": 3}, headers=headers).json()["id"]
    assert client.error("DELETE", f"/v1/jobs/{job}")[0] == 409
    gateway.work(client.tenant, job)
    before = client.get(f"/v1/jobs/{job}").json()
    deletion = client.delete(f"/v1/jobs/{job}").json()
    assert deletion["restorable_until"] > deletion["deleted"]
    assert client.delete(f"/v1/jobs/{job}").json() == deletion
    other = client.order(title="autumn")
    client.post(other["links"]["cancel"])
    second = client.delete(other["links"]["self"]).json()
    assert (second["title"], second["total"], second["model"]) == ("autumn", 1, other["model"])
    page = client.get("/v1/trash?limit=1").json()
    rest = client.get("/v1/trash", params={"after": page["next"]}).json()
    assert page["data"] + rest["data"] == sorted([deletion, second], key=lambda one: one["id"])
    assert client.get("/v1/jobs").json()["data"] == []
    for path in ("", "/images", "/archive", "/events"):
        status, error = client.error("GET", f"/v1/jobs/{job}{path}")
        assert (status, "is deleted; it can be restored until" in error["message"]) == (404, True)
    status, error = client.error("POST", "/v1/jobs", json={"model": "shoes", "count": 3}, headers=headers)
    assert (status, error["param"]) == (409, "Idempotency-Key")
    assert client.post(f"/v1/jobs/{job}/restore").json() == before
    assert client.get("/v1/trash").json()["data"] == [second]
    assert len(client.get(f"/v1/jobs/{job}/images").json()["data"]) == 3


def test_images_are_filtered_by_their_attributes(client: Client, gateway: Gateway) -> None:
    job = client.order(attributes={"category": ["bag", "sneaker"]}, count=2)["id"]
    gateway.work(client.tenant, job)

    def found(query: str) -> list[int]:
        return [image["index"] for image in client.get(f"/v1/jobs/{job}/images?{query}").json()["data"]]

    assert found("attribute=category=sneaker") == [2, 3]
    assert found("attribute=category=sneaker&attribute=category=bag&limit=2&after=0") == [1, 2]
    assert found("attribute=size=large") == found("untrusted=true") == []
    status, error = client.error("GET", f"/v1/jobs/{job}/images?attribute=sneaker")
    assert (status, error["param"]) == (400, "attribute")


def test_jobs_deleted_while_they_are_listed_hide_no_others(client: Client, gateway: Gateway) -> None:
    for _ in range(5):
        gateway.work(client.tenant, client.order()["id"])
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/v1/jobs?limit=2{cursor and f'&after={cursor}'}").json()
        seen += [client.delete(f"/v1/jobs/{job['id']}").json()["id"] for job in page["data"]]
        cursor = page["next"]
    assert len(set(seen)) == 5


def test_an_order_is_kept_as_long_as_it_or_its_tenant_says(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenants, "CACHE_SECONDS", 0.0)
    tenants.set_grant(gateway.store, client.tenant, keep="30d")
    jobs = [client.order(), client.order(keep="12h")]
    assert [(job["keep"], job["expires"]) for job in jobs] == [("30d", None), ("12h", None)]
    for job, kept in zip(jobs, (timedelta(days=30), timedelta(hours=12)), strict=True):
        gateway.work(client.tenant, job["id"])
        now = client.get(f"/v1/jobs/{job['id']}").json()
        assert datetime.fromisoformat(now["expires"]) - datetime.fromisoformat(now["updated"]) == kept
    for path, spec in (("", {"model": "shoes"}), (f"/{jobs[0]['id']}/keep", {})):
        status, error = client.error("POST", f"/v1/jobs{path}", json={**spec, "keep": "a while"})
        assert (status, error["param"]) == (400, "keep")
    changed = client.post(f"/v1/jobs/{jobs[0]['id']}/keep", json={"keep": "forever"}).json()
    assert (changed["keep"], changed["expires"]) == (None, None)


@pytest.mark.usefixtures("one_day")
def test_usage_is_shown_by_day_and_model_as_json_and_csv(client: Client, gateway: Gateway) -> None:
    orders = [client.order(count=3, priority="interactive"), client.order(count=70)]
    for job in orders:
        gateway.work(client.tenant, job["id"])
    client.delete(f"/v1/jobs/{orders[0]['id']}")
    [row] = client.get("/v1/usage").json()["data"]
    assert (row["model"], row["orders"], row["images"]) == (orders[0]["model"], 2, 73)
    assert row["bytes"] > 73
    table = client.get("/v1/usage", params={"from": row["day"], "to": row["day"], "format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines() == [
        "day,model,orders,images,bytes",
        f"{row['day']},{row['model']},2,73,{row['bytes']}",
    ]
    assert client.get("/v1/usage?from=2020-01-01&to=2020-02-01").json()["data"] == []
    assert client.error("GET", "/v1/usage?from=soon")[1]["param"] == "from"
    assert client.error("GET", "/v1/usage?from=2020-01-01&to=2026-01-01")[0] == 400


def test_images_without_marks_need_a_scope_of_their_own(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    order = {"model": "shoes", "output": {"marks": "none"}}
    with gateway.client("plain", ("generate", "admin")) as client:
        refused = client.post("/v1/jobs", json=order)
        assert refused.status_code == 403
        assert refused.json()["error"]["message"].endswith("needs an API key with the scope unmarked")
    with gateway.client("plain", ("generate", "unmarked")) as client:
        job = client.post("/v1/jobs", json=order).json()
        assert job["request"]["output"]["marks"] == "none"
    assert any(job["id"] in message and "without marks" in message for message in caplog.messages)
