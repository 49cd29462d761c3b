"""No tenant's stream of interactive orders keeps another tenant waiting."""

import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from prodgen.jobs.submission import submit
from prodgen.ledger.entries import Queue
from prodgen.ledger.ledger import Ledger
from prodgen.registry.publish import publish
from prodgen.settings import Settings
from prodgen.spec.order import JobSpec
from prodgen.storage.local import LocalStore
from tests.servers.process import wait_until
from tests.toys import toy_folder
from workers.deployment import Deployment
from workers.doorbell import Work
from workers.generate import tasks
from workers.generate.device import Device

THREADS = 8
STREAMS = 24
BATCH_SECONDS = 0.02


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store", "secret", "http://gateway.test")
    publish(store, toy_folder(tmp_path / "toy"), "toy", None)
    return store


@pytest.fixture
def device(
    store: LocalStore, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Device]:
    """A slow device, with 8 threads that hear doorbells of both queues without a pause."""
    settings = Settings(model_cache=tmp_path / "models", lease_seconds=30.0)
    deployment = SimpleNamespace(settings=settings, store=store, ledger=ledger)
    device = Device(cast("Deployment", deployment))
    forward = device.engine.forward
    monkeypatch.setattr(forward, "batch", lambda model: 32)
    finish = forward.finish

    def slow(*arguments: Any) -> Any:
        time.sleep(BATCH_SECONDS)
        return finish(*arguments)

    monkeypatch.setattr(forward, "finish", slow)
    monkeypatch.setattr(device, "capacity", lambda: 64)
    monkeypatch.setattr(tasks, "device", lambda: device)
    monkeypatch.setattr(Work, "_send", lambda *_, **__: None)  # no Flower listens
    for bell in ("ring", "ring_settle"):
        monkeypatch.setattr(tasks, bell, lambda *_: None)

    def hear() -> None:
        while not device.draining.is_set():
            tasks.interactive()
            tasks.bulk()
            time.sleep(0.005)

    tasks.app.finalize()  # as a worker does before its threads begin
    threads = [threading.Thread(target=hear) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    yield device
    device.draining.set()
    for thread in threads:
        thread.join()
    device.engine.close()


def test_a_stream_of_interactive_orders_starves_no_other_tenant(device: Device) -> None:
    store, ledger, numbers = device.store, device.ledger, count()

    def order(tenant: str, images: int, priority: Queue) -> str:
        spec = JobSpec(model="toy", count=images, priority=priority)
        return submit(store, ledger, Settings(), tenant, spec, str(next(numbers)))[0].id

    def done(job: str) -> int:
        progress = ledger.progress(job)
        assert progress
        return progress.done

    def keep_in_flight() -> None:
        stream: list[str] = []
        while not device.draining.is_set():
            stream = [job for job in stream if done(job) < 64]
            stream += [order("greedy", 64, "interactive") for _ in range(STREAMS - len(stream))]
            time.sleep(0.01)

    stream = threading.Thread(target=keep_in_flight, daemon=True)
    stream.start()
    wait_until(lambda: ledger.waiting("interactive", "greedy") >= STREAMS - THREADS, "no stream of orders")
    batches = device.engine.batches
    bulk, quick = order("modest", 640, "bulk"), order("modest", 8, "interactive")
    served: dict[str, int] = {}
    end = time.monotonic() + 100
    while len(served) < 2 and device.engine.batches < batches + 200 and time.monotonic() < end:
        for job, images in ((bulk, 64), (quick, 8)):
            if done(job) >= images:
                served.setdefault(job, device.engine.batches - batches)
        time.sleep(0.005)
    device.draining.set()
    stream.join()
    assert served.get(quick, 200) <= 60, "the interactive order had no turn"
    assert served.get(bulk, 200) <= 100, "the bulk order had no turn"
