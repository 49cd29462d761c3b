"""A stream of events is complete, can be resumed, and takes nothing from other requests."""

import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import httpx
import pytest
from sse_starlette.sse import AppStatus

from api_gateway import event_streams
from api_gateway.deployment import EVENT_THREADS, Deployment
from api_gateway.routes import jobs as route
from prodgen.access import KeyRing
from prodgen.errors import StoreUnavailable
from prodgen.jobs.time_left import NO_WORKER
from prodgen.ledger.entries import Progress
from prodgen.ledger.ledger import Ledger
from tests.gateway.running import Client, Gateway
from tests.servers.process import wait_until


def test_a_watcher_sees_a_job_from_its_order_to_its_end(client: Client, gateway: Gateway) -> None:
    job = client.order(count=130)["id"]
    events = client.events(job)
    queued = {"type": "state", "state": "queued", "done": 0, "total": 130}
    assert next(events).data.items() >= queued.items()
    gateway.work(client.tenant, job)
    seen = list(events)
    assert seen[-1].data == {"type": "state", "state": "succeeded", "done": 130, "total": 130}
    counts = [event.data["done"] for event in seen]
    assert counts == sorted(counts)
    assert all(event.id and event.type == event.data["type"] for event in seen)


def test_a_broken_stream_is_resumed_after_the_last_event(client: Client, gateway: Gateway) -> None:
    job = client.order(count=130)["id"]
    gateway.work(client.tenant, job)
    whole = list(client.events(job))
    assert len(whole) >= 4
    for at, event in enumerate(whole[:-1]):
        assert list(client.events(job, **{"Last-Event-ID": event.id or ""})) == whole[at + 1 :]
    with client.stream("GET", f"/v1/jobs/{job}/events", params={"after": whole[-2].id}) as response:
        assert response.read().decode().count("data:") == 1


def test_a_stream_resumed_after_the_end_gives_the_end(client: Client, gateway: Gateway) -> None:
    job = client.order(count=3)["id"]
    gateway.work(client.tenant, job)
    last = list(client.events(job))[-1]
    (event,) = client.events(job, **{"Last-Event-ID": last.id or ""})
    assert (event.id, event.data) == (None, last.data)


def test_a_stream_without_changes_repeats_the_state_and_why_there_is_no_time_left(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.ledger.client.delete("prodgen:workers")  # other tests may have reported some
    monkeypatch.setattr(route, "REPEAT_SECONDS", 0.01)
    events = client.events(client.order(count=3)["id"])
    first, second, third = (next(events) for _ in range(3))
    assert first.id
    assert second == third
    assert (second.id, second.type, second.data["state"]) == (None, "progress", "queued")
    assert (second.data["seconds_left"], second.data["reason"]) == (None, NO_WORKER)


def test_a_job_whose_events_are_lost_still_has_a_state(client: Client, gateway: Gateway) -> None:
    job = client.order(count=3)["id"]
    gateway.ledger.client.delete(f"{gateway.ledger.prefix}job:{job}:events")
    events = client.events(job)
    first = next(events)
    assert (first.id, first.data["state"]) == (None, "queued")
    client.post(f"/v1/jobs/{job}/cancel")
    assert next(events).data["state"] == "cancelled"
    assert list(events) == []


def test_a_stream_that_waits_for_the_future_hides_no_event_from_another(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "CHECK_SECONDS", 600.0)  # only the shared reader wakes a stream
    monkeypatch.setattr(route, "REPEAT_SECONDS", 600.0)
    job = client.order(count=3)["id"]
    future = client.events(job, **{"Last-Event-ID": f"{2**64 - 1}-0"})
    assert next(future).id is None
    honest = [client.events(job), client.events(job)]
    assert [next(events).data["state"] for events in honest] == ["queued", "queued"]
    client.post(f"/v1/jobs/{job}/cancel")
    assert [[event.data["state"] for event in events][-1] for events in honest] == ["cancelled"] * 2
    future.close()  # type: ignore[attr-defined]


def test_a_stream_that_waits_for_its_turn_to_read_hears_events(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "CHECK_SECONDS", 0.01)
    turn = anyio.Semaphore(0)  # another stream reads, and does not end
    monkeypatch.setattr(gateway.app.state.deployment.event_reader, "turn", turn)
    job = client.order(count=3)["id"]
    events = client.events(job)
    next(events)
    wait_until(lambda: turn.statistics().tasks_waiting == 1, "the stream does not wait")
    client.post(f"/v1/jobs/{job}/cancel")
    assert list(events)[-1].data["state"] == "cancelled"


@pytest.mark.parametrize("wrong", ["x", "-1", "1-", "$", "0-0-0", "é", str(2**64), f"1-{2**64}", "9" * 30])
def test_an_event_id_that_is_none_is_refused(client: Client, wrong: str) -> None:
    job = client.order(count=3)["id"]
    for options in ({"headers": {"Last-Event-ID": wrong.encode("latin-1")}}, {"params": {"after": wrong}}):
        status, error = client.error("GET", f"/v1/jobs/{job}/events", **options)
        assert (status, error["param"]) == (400, "Last-Event-ID")


def test_comments_keep_a_quiet_stream_open(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "KEEP_ALIVE", 0.01)
    job = client.order(count=3)["id"]
    with client.stream("GET", f"/v1/jobs/{job}/events") as response:
        assert any(line == ": still here" for line in response.iter_lines())


def test_a_stream_waits_for_the_store_without_naming_its_place(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "CHECK_SECONDS", 0.05)
    job = client.order(count=3)["id"]

    def broken(*_: object) -> list[object]:
        raise StoreUnavailable("the object store in /srv/secret failed")

    with client.stream("GET", f"/v1/jobs/{job}/events") as response:
        lines = response.iter_lines()
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "events", broken)
            assert next(line for line in lines if line.startswith(":")) == f": {StoreUnavailable.for_clients}"
        client.post(f"/v1/jobs/{job}/cancel")
        assert any('"cancelled"' in line for line in lines)


def test_many_listeners_leave_threads_for_other_requests(client: Client, gateway: Gateway) -> None:
    job = client.order(count=3)["id"]
    listeners = 60  # more than the server has threads
    listening, ended = threading.Semaphore(0), threading.Semaphore(0)

    def listen() -> None:
        own = httpx.Client(base_url=client.base_url, headers=client.headers, timeout=60, verify=False)
        with own, own.stream("GET", f"/v1/jobs/{job}/events") as response:
            for line in response.iter_lines():
                if '"queued"' in line:
                    listening.release()
                if '"cancelled"' in line:
                    ended.release()

    with ThreadPoolExecutor(listeners) as pool:
        for _ in range(listeners):
            pool.submit(listen)
        for _ in range(listeners):
            assert listening.acquire(timeout=60)
        assert gateway.app.state.deployment.event_threads.total_tokens == EVENT_THREADS
        assert client.get("/v1/jobs").status_code == 200
        client.post(f"/v1/jobs/{job}/cancel")
        for _ in range(listeners):
            assert ended.acquire(timeout=60)


def test_a_tenant_has_a_bounded_number_of_streams(
    client: Client, stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "STREAMS_PER_TENANT", 2)
    job, other = client.order(count=3)["id"], stranger.order(count=3)["id"]
    first, second = client.events(job), client.events(job)
    assert (next(first).data["state"], next(second).data["state"]) == ("queued", "queued")
    status, error = client.error("GET", f"/v1/jobs/{job}/events")
    assert (status, error["code"]) == (429, "too_many_requests")
    assert error["message"].startswith("2 event streams of this tenant are open")
    assert next(stranger.events(other)).data["state"] == "queued"
    first.close()  # type: ignore[attr-defined]

    def follows() -> bool:
        with client.stream("GET", f"/v1/jobs/{job}/events") as response:
            return response.status_code == 200

    wait_until(follows, "the slot stays taken")


def test_a_stream_that_has_lived_long_ends_and_is_resumed(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = client.order(count=3)["id"]
    with monkeypatch.context() as patch:
        patch.setattr(event_streams, "STREAM_SECONDS", 1.0)
        (event,) = client.events(job)
    gateway.work(client.tenant, job)
    assert list(client.events(job, **{"Last-Event-ID": event.id or ""}))[-1].data["state"] == "succeeded"


def test_listeners_do_not_keep_a_gateway_from_ending(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = client.order(count=3)["id"]
    events = client.events(job)
    next(events)
    monkeypatch.setattr(AppStatus, "should_exit", True)
    assert list(events) == []
    threads = gateway.app.state.deployment.event_threads
    wait_until(lambda: threads.borrowed_tokens == 0, "a listener stayed")


def test_a_stream_ends_when_its_key_is_revoked(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = client.order(count=3)["id"]
    events = client.events(job)
    next(events)
    key = next(key for key in KeyRing(gateway.store).list() if key.tenant == client.tenant)
    KeyRing(gateway.store).revoke(key.id)  # in another process than the gateway
    assert [event for event in events if event.data["state"] != "queued"] == []
    assert client.get(f"/v1/jobs/{job}/events").status_code == 401


def test_an_end_between_two_reads_hides_no_event(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = client.order(count=130)["id"]
    events = client.events(job)
    next(events)
    find = route.find_progress

    def find_late(deployment: Deployment, tenant: str, job: str) -> Progress:
        monkeypatch.setattr(route, "find_progress", find)
        gateway.work(tenant, job)
        return find(deployment, tenant, job)

    monkeypatch.setattr(route, "find_progress", find_late)
    seen = list(events)
    assert [event.data["done"] for event in seen if event.type == "progress"] == [64, 128, 130]
    assert seen[-1].data["state"] == "succeeded"
    assert all(event.id for event in seen)
