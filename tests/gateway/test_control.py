"""An order can be paused, resumed, retried and given another priority, and no crash of Redis undoes that."""

from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from prodgen.jobs.ending import settle_job
from prodgen.recovery import ensure
from tests.gateway.running import Client, Gateway
from tests.servers.process import wait_until


def test_a_paused_order_makes_nothing_until_it_is_resumed(
    client: Client, stranger: Client, gateway: Gateway
) -> None:
    job = client.order(count=200)
    gateway.work(client.tenant, job["id"], cells=1)
    for _ in range(2):
        paused = client.post(job["links"]["pause"])
        assert (paused.status_code, paused.json()["state"], paused.json()["done"]) == (200, "paused", 64)
    gateway.work(client.tenant, job["id"])
    assert client.get(job["links"]["self"]).json()["done"] == 64
    assert [one["state"] for one in client.get("/v1/jobs").json()["data"]] == ["paused"]
    assert stranger.error("POST", job["links"]["resume"])[0] == 404

    gateway.bells.clear()
    assert client.post(job["links"]["resume"]).json()["state"] == "running"
    wait_until(lambda: ("bulk", 1) in gateway.bells, "no bell")
    gateway.work(client.tenant, job["id"])
    states = [event.data["state"] for event in client.events(job["id"])]
    assert list(dict.fromkeys(states)) == ["queued", "running", "paused", "finishing", "succeeded"]
    assert client.post(job["links"]["pause"]).json()["state"] == "succeeded"


def test_a_pause_survives_what_redis_loses(client: Client, gateway: Gateway) -> None:
    job = client.order(count=200)
    client.post(job["links"]["pause"])
    gateway.ledger.control(job["id"], "bulk", paused=False)  # as if the last second of Redis were lost
    server: redis.Redis = gateway.ledger.client
    server.set("prodgen:server", "another process")
    ensure(gateway.store, gateway.ledger)
    assert client.get(job["links"]["self"]).json()["state"] == "paused"
    server.flushdb()
    assert ensure(gateway.store, gateway.ledger)
    assert client.get(job["links"]["self"]).json()["state"] == "paused"
    assert gateway.ledger.waiting("bulk", client.tenant) == 0
    assert client.post(job["links"]["cancel"]).json()["state"] == "cancelled"


def test_a_small_order_can_become_interactive_and_a_large_one_cannot(
    client: Client, gateway: Gateway
) -> None:
    small, large = client.order(count=64), client.order(count=65)
    changed = client.post(f"{small['links']['self']}/priority", json={"priority": "interactive"})
    assert changed.json()["priority"] == "interactive"
    status, error = client.error(
        "POST", f"{large['links']['self']}/priority", json={"priority": "interactive"}
    )
    assert (status, error["param"]) == (400, "priority")
    leases = list(iter(lambda: gateway.ledger.lease("interactive", "another worker", 64), None))
    assert small["id"] in {lease.job for lease in leases}
    for lease in leases:
        gateway.ledger.release(lease.token)
    assert gateway.ledger.waiting("bulk", client.tenant) == 1
    for job in (small, large):
        client.post(job["links"]["cancel"])


def test_failed_images_are_made_by_a_retry_and_the_new_end_is_followed(
    client: Client, stranger: Client, gateway: Gateway
) -> None:
    items = [{"sku": "A-1", "count": 130}, {"sku": "B-2", "count": 70, "attributes": {"category": "bag"}}]
    job = client.order(items=items)
    retry = job["links"]["retry"]
    assert client.error("POST", retry)[1]["message"] == (
        f"job {job['id']} has not ended; retry its failed images when it has ended"
    )
    record = gateway.work(client.tenant, job["id"], cells=3)
    while lease := gateway.ledger.lease("bulk", "w", 64):
        gateway.ledger.fail(lease.token, "no paint")
    settle_job(gateway.store, gateway.ledger, record)
    ended = client.get(job["links"]["self"]).json()
    assert (ended["state"], ended["failed"], ended["retries"]) == ("partial", 8, 0)
    assert stranger.error("POST", retry)[0] == 404
    page = client.get(job["links"]["failures"], params={"limit": 5}).json()
    rest = client.get(job["links"]["failures"], params={"after": page["next"]}).json()
    assert (len(page["data"]), page["next"], rest["next"]) == (5, "196", None)
    failures = page["data"] + rest["data"]
    assert [failure["index"] for failure in failures] == list(range(192, 200))
    assert failures[0] | {"sku": "B-2", "cell": 3, "attempts": 3, "error": "no paint"} == failures[0]
    assert failures[0]["attributes"]["category"] == "bag"

    gateway.bells.clear()
    again = client.post(retry).json()
    assert (again["state"], again["done"], again["failed"], again["retries"]) == ("running", 192, 0, 1)
    wait_until(lambda: ("bulk", 1) in gateway.bells, "no bell")
    gateway.work(client.tenant, job["id"])
    assert client.get(job["links"]["failures"]).json()["data"] == []
    states = [event.data["state"] for event in client.events(job["id"])]
    assert list(dict.fromkeys(states)) == ["running", "finishing", "succeeded"]
    assert len(client.get(job["links"]["images"], params={"limit": 1000}).json()["data"]) == 200
    assert "has made all its images" in client.error("POST", retry)[1]["message"]
    client.delete(job["links"]["self"])
    assert "is deleted" in client.error("POST", retry)[1]["message"]
    assert client.post(f"{job['links']['self']}/restore").json()["retries"] == 1


def test_a_quote_says_whether_the_deadline_is_met_and_no_order_has_a_past_one(
    client: Client, gateway: Gateway
) -> None:
    def quoted(seconds: float) -> dict[str, Any]:
        finish_by = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        order = {"model": "shoes", "count": 10_000, "finish_by": finish_by}
        quote: dict[str, Any] = client.post("/v1/quotes", json=order).json()
        return quote

    job = client.order(count=64, finish_by=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    gateway.ledger.report_worker("w", {job["model"]: 50.0})
    seconds = quoted(3600)["seconds"]
    assert seconds >= 200
    assert [quoted(time)["in_time"] for time in (seconds / 2, seconds * 2)] == [False, True]
    assert "in the past" in quoted(-1)["error"]["message"]
    status, error = client.error(
        "POST", "/v1/jobs", json={"model": "shoes", "finish_by": "2026-01-02T03:04:05Z"}
    )
    assert (status, error["param"]) == (400, "finish_by")
    assert (
        client.error("POST", "/v1/jobs", json={"model": "shoes", "finish_by": "2026-12-24T18:00"})[0] == 400
    )
    gateway.work(client.tenant, job["id"])


def test_a_rejected_image_is_made_again_and_shown_in_its_place(
    client: Client, stranger: Client, gateway: Gateway
) -> None:
    job = client.order(count=3, title="Autumn", seed=7)["id"]
    gateway.work(client.tenant, job)

    def listed(query: str = "?newest=true") -> list[dict[str, Any]]:
        images = client.get(f"/v1/jobs/{job}/images{query}").json()["data"]
        return [{name: value for name, value in image.items() if name != "url"} for image in images]

    before, path = listed(), f"/v1/jobs/{job}/reject"
    asked: dict[str, Any] = {"json": {"images": [1]}, "headers": {"Idempotency-Key": "autumn"}}
    answer = client.post(path, **asked)
    again = answer.json()
    assert (answer.status_code, again["replaces"]) == (202, {"job": job, "images": [1]})
    assert (again["total"], again["priority"], again["request"]["title"]) == (1, "interactive", "Autumn")
    assert client.post(path, **asked).json()["id"] == again["id"]
    assert listed() == before, "the new image is not made yet"
    gateway.work(client.tenant, again["id"])
    first, second, third = listed()
    assert (first, third) == (before[0], before[2])
    same = ("index", "file", "seed", "draw", "attributes", "model")
    assert {name: second[name] for name in same} == {name: before[1][name] for name in same}
    assert (before[1]["attempt"], second["attempt"]) == (0, 1)
    assert listed("") == before, "the order itself does not change"

    last = client.post(path, json={"images": [1]}).json()
    gateway.work(client.tenant, last["id"])
    assert listed("?newest=true&after=0&limit=1")[0]["attempt"] == 2
    client.delete(f"/v1/jobs/{last['id']}")
    assert listed()[1]["attempt"] == 1
    assert client.error("POST", path, json={"images": [3]})[1]["param"] == "images"
    assert stranger.error("POST", path, json={"images": [1]})[0] == 404
