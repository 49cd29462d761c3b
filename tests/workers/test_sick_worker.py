"""A sick worker costs no order its images: its leases go to other workers, and the worker ends."""

import errno
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from prometheus_client import REGISTRY

from prodgen.bundled import bundled_folders, bundled_photographs
from prodgen.errors import StoreUnavailable
from prodgen.jobs.ending import settle_job, settle_jobs
from prodgen.jobs.record import JobRecord
from prodgen.jobs.submission import submit
from prodgen.ledger.entries import Queue
from prodgen.ledger.ledger import Ledger
from prodgen.photographs.cutters import GrabCut
from prodgen.photographs.studio import Studio
from prodgen.registry.publish import publish
from prodgen.settings import Settings
from prodgen.spec.finish import Finish
from prodgen.spec.order import Item, JobSpec
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo
from prodgen.storage.local import LocalStore
from tests.servers.process import wait_until
from tests.toys import toy_folder
from workers.deployment import Deployment
from workers.generate import models
from workers.generate.device import Device
from workers.generate.leases import make

Work = Callable[[Queue], bool]


class Worker(Device):
    """A worker in this process. ``ended`` holds the seconds within which it would have ended its process."""

    def __init__(
        self,
        store: LocalStore,
        ledger: Ledger,
        folder: Path,
        stall_seconds: float = 60.0,
        stop_seconds: float = 15.0,
        machine: str | None = None,
    ) -> None:
        settings = Settings(
            machine=machine,
            model_cache=folder / "models",
            lease_seconds=1.0,
            stall_seconds=stall_seconds,
            stop_seconds=stop_seconds,
        )
        self.ended: list[float] = []
        deployment = SimpleNamespace(settings=settings, store=store, ledger=ledger)
        super().__init__(cast("Deployment", deployment), self.ended.append)

    def work(self, queue: Queue = "bulk", images: int = 64) -> bool:
        """Make one lease, if there is one and this worker still works. Returns whether it was made."""
        if self.draining.is_set() or (lease := self.ledger.lease(queue, self.name, images)) is None:
            return False
        try:
            make(self, lease)
        except Exception:
            return False
        return True


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store", "secret", "http://gateway.test")
    publish(store, toy_folder(tmp_path / "toy"), "toy", "acme")
    return store


@pytest.fixture
def worker(store: LocalStore, ledger: Ledger, tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(store, ledger, tmp_path / "worker")
    yield worker
    worker.draining.set()  # it reports nothing more
    worker.engine.close()


@pytest.fixture
def order(store: LocalStore, ledger: Ledger) -> Callable[..., JobRecord]:
    """Order images of the toy."""

    def place(count: int, priority: Queue = "bulk") -> JobRecord:
        spec = JobSpec(model="toy", count=count, priority=priority)
        return submit(store, ledger, Settings(), "acme", spec, f"{count} {priority}")[0]

    return place


def healthy_worker_delivers(store: LocalStore, ledger: Ledger, folder: Path, record: JobRecord) -> None:
    """Whatever the sick worker did, another one makes every image."""
    other = Worker(store, ledger, folder / "healthy")
    while other.work(record.spec.priority):
        pass
    other.draining.set()
    other.engine.close()
    [(_, state)] = settle_jobs(store, ledger)
    assert (state.state, state.done, state.dead) == ("succeeded", record.total, [])


def measured(name: str, **labels: str) -> float:
    """Return a figure that this process would export."""
    return REGISTRY.get_sample_value(f"prodgen_worker_{name}", labels) or 0.0


@pytest.mark.parametrize("priority", ["interactive", "bulk"])
def test_a_sticky_device_error_fails_no_order_and_ends_the_worker(
    worker: Worker,
    order: Callable[..., JobRecord],
    priority: Queue,
    store: LocalStore,
    ledger: Ledger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = order(64, priority)

    def broken(*_: Any) -> torch.Tensor:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(worker.engine, "forward", _Broken(worker.engine.forward, broken))
    attempts = 0
    while not worker.ended and attempts < 10:
        worker.work(priority)
        attempts += 1
    assert (attempts, worker.ended) == (2, [20.0])
    assert "CUDA error" in (worker.condition.problem or "")
    assert worker.draining.is_set()
    healthy_worker_delivers(store, ledger, tmp_path, record)


class _Broken:
    """A forward pass that fails, and whose every other part works."""

    def __init__(self, forward: Any, broken: Callable[..., torch.Tensor]) -> None:
        self._forward, self._broken = forward, broken

    def __call__(self, *arguments: Any) -> torch.Tensor:
        return self._broken(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._forward, name)


def test_a_batch_that_is_too_large_for_the_memory_is_made_in_halves(
    worker: Worker, order: Callable[..., JobRecord], ledger: Ledger, store: LocalStore
) -> None:
    record, forward, sizes = order(64), worker.engine.forward, []

    def cramped(model: Any, images: Any, truncation: Any) -> torch.Tensor:
        sizes.append(len(images))
        if len(images) > 9:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(model, images, truncation)

    worker.engine.forward = cast("Any", _Broken(forward, cramped))
    assert worker.work()
    assert max(sizes) > 9
    [(_, state)] = settle_jobs(store, ledger)
    assert (state.state, state.done) == ("succeeded", record.total)


def test_images_that_cannot_be_made_are_blamed_and_not_the_worker(
    worker: Worker, order: Callable[..., JobRecord], ledger: Ledger, store: LocalStore
) -> None:
    order(64)
    forward = worker.engine.forward

    def poisoned(model: Any, images: Any, truncation: Any) -> torch.Tensor:
        if any(image.index == 40 for image in images):
            raise RuntimeError("CUDA error: device-side assert triggered")
        return forward(model, images, truncation)

    worker.engine.forward = cast("Any", _Broken(forward, poisoned))
    for _ in range(3):
        assert not worker.work()
    assert worker.ended == []
    [(_, state)] = settle_jobs(store, ledger)
    assert (state.state, state.dead) == ("failed", [0])


def test_a_full_disk_of_the_worker_fails_no_order(
    worker: Worker,
    order: Callable[..., JobRecord],
    ledger: Ledger,
    store: LocalStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = order(64, "interactive")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = measured("failures_total", kind="disk")
    with monkeypatch.context() as patch:
        patch.setattr(models, "fetch", full)
        for _ in range(2):
            assert not worker.work("interactive")
    assert worker.ended == [20.0]
    assert measured("failures_total", kind="disk") == before + 2
    healthy_worker_delivers(store, ledger, tmp_path, record)


def test_a_late_lease_that_the_store_refuses_leaves_nothing_of_an_ended_order(
    worker: Worker, ledger: Ledger, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = JobSpec.model_validate({"model": "toy", "count": 64, "output": {"packaging": "tar"}})
    record, _ = submit(store, ledger, Settings(), "acme", spec, "late")
    put = store.put

    def fail(key: str, data: bytes, content_type: str = "") -> None:
        if key.endswith(".tar"):
            ledger.cancel(record.id)
            settle_job(store, ledger, record)
        if "/cells/" in key and key.endswith(".jsonl"):
            raise StoreUnavailable("503")
        put(key, data, content_type)

    monkeypatch.setattr(store, "put", fail)
    assert not worker.work()
    assert not [*store.list(keys.job("acme", record.id, "cells/"))]


def test_a_late_report_leaves_nothing_of_an_ended_order_although_the_store_fails_twice(
    worker: Worker, ledger: Ledger, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, _ = submit(store, ledger, Settings(), "acme", JobSpec(model="toy", count=64), "late")
    put, names, failures = store.put, store.list, ["list", "put"]

    def fail_to_put(key: str, data: bytes, content_type: str = "") -> None:
        put(key, data, content_type)
        if "/manifest/" in key and failures[-1:] == ["put"]:
            failures.pop()
            monkeypatch.undo()
            assert settle_job(store, ledger, record)
            fail()
            raise StoreUnavailable("503")

    def fail_to_list(prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        if prefix.endswith("/cells/") and failures == ["list"]:
            failures.pop()
            raise StoreUnavailable("503")
        return names(prefix, after)

    def fail() -> None:
        monkeypatch.setattr(store, "put", fail_to_put)
        monkeypatch.setattr(store, "list", fail_to_list)

    fail()
    assert worker.work()
    assert not failures
    left = [info.key for info in names(keys.job("acme", record.id, "cells/"))]
    assert left
    assert not [key for key in left if key.endswith(".jsonl")]


def test_a_worker_without_the_cutter_leaves_the_photographs_to_one_that_has_it(
    worker: Worker, ledger: Ledger, store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = next(folder for folder in bundled_folders() if folder.name == "studio")
    publish(store, studio, "studio", "acme")
    data = bundled_photographs()[0].read_bytes()
    photo = hashlib.sha256(data).hexdigest()
    store.put(keys.upload("acme", photo), data, "image/jpeg")
    item = Item(sku="a", photo=photo, attributes={})
    spec = JobSpec(model="studio", items=[item], finish=Finish(size=64), priority="interactive")
    record = submit(store, ledger, Settings(), "acme", spec, "photographs")[0]
    ledger.report_worker("another", {})

    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "empty"))
    assert worker.work("interactive")
    assert not worker.work("interactive"), "it must not lease the job again"
    monkeypatch.setattr(Studio, "cutter", GrabCut())
    healthy_worker_delivers(store, ledger, tmp_path, record)


@contextmanager
def stuck(worker: Worker, record: JobRecord) -> Iterator[None]:
    """Have the worker lease the order, and hold its forward pass until the end of the block."""
    worker.models.load(record.model, "acme")
    begun, go_on, forward = threading.Event(), threading.Event(), worker.engine.forward

    def wait(model: Any, images: Any, truncation: Any) -> torch.Tensor:
        begun.set()
        go_on.wait(60)
        return forward(model, images, truncation)

    worker.engine.forward = cast("Any", _Broken(forward, wait))
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        go_on.set()
        thread.join(60)
        worker.draining.set()
        worker.engine.close()


def test_a_hung_device_gives_its_leases_back_and_the_process_ends(
    store: LocalStore, ledger: Ledger, order: Callable[..., JobRecord], tmp_path: Path
) -> None:
    record = order(64)
    worker = Worker(store, ledger, tmp_path / "worker", stall_seconds=0.5)
    with stuck(worker, record):
        wait_until(lambda: worker.ended == [0.0], "the worker did not notice that its device hangs")
        assert "hung" in (worker.condition.problem or "")
        assert ledger.backlog("bulk").leases == 0
        healthy_worker_delivers(store, ledger, tmp_path, record)


def test_a_worker_that_is_stopped_hands_back_what_it_cannot_finish_in_time(
    store: LocalStore, ledger: Ledger, order: Callable[..., JobRecord], tmp_path: Path
) -> None:
    record = order(64)
    worker = Worker(store, ledger, tmp_path / "worker", stop_seconds=1.5)
    with stuck(worker, record):
        worker.drain()
        assert ledger.backlog("bulk").leases == 1, "it has time to finish"
        wait_until(lambda: worker.ended == [0.0], "the worker did not end")
        assert (ledger.backlog("bulk").images, ledger.backlog("bulk").lost) == (64, 0)
        healthy_worker_delivers(store, ledger, tmp_path, record)


def test_a_lease_that_stands_still_is_renewed_no_more(
    store: LocalStore,
    ledger: Ledger,
    order: Callable[..., JobRecord],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order(64)
    worker = Worker(store, ledger, tmp_path / "worker", stall_seconds=1.5)
    lease = ledger.lease("bulk", worker.name, 64)
    assert lease
    renewed: list[str] = []
    monkeypatch.setattr(ledger, "renew", lambda tokens: renewed.extend(tokens) or {})
    with worker.holding(lease.token):
        wait_until(lambda: len(renewed) > 0, "it is not renewed")
        wait_until(lambda: worker._advancing() == [], "it counts as making progress")
        count = len(renewed)
        worker._renew_leases()
    assert len(renewed) == count, "it was renewed while it stood still"
    worker.draining.set()
    worker.engine.close()
