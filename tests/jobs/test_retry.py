"""A retry makes the failed images of an ended order, and them alone, and each is counted and kept once."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from prodgen.errors import Conflict, NotFound
from prodgen.jobs import delivery
from prodgen.jobs.control import retry_job, withdraw
from prodgen.jobs.deletion import DeletedJobs
from prodgen.jobs.ending import report, settle_job, settle_jobs
from prodgen.jobs.failures import failures
from prodgen.jobs.manifests import published_whole
from prodgen.jobs.record import JobRecord, load_state
from prodgen.jobs.usage import read_usage
from prodgen.jobs.webhooks import message_id
from prodgen.ledger.entries import CellError
from prodgen.ledger.ledger import Ledger
from prodgen.recovery import ensure
from prodgen.settings import Settings
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.trash import LOOK_AGAIN
from tests.jobs.model import published
from tests.jobs.workshop import DyingStore, ended, new_record, order, paint, work, work_off
from tests.ledger.memory import MemoryStore

POISON = 2
MODEL = "shared/models/bags/1/config.json"
Packaging = Literal["files", "tar"]


def fail_at(store: Store, ledger: Ledger, record: JobRecord, poison: int = POISON) -> list[int]:
    """Work off a job one cell at a time, of which one always fails, and return the cells that were leased."""
    leased = []
    while lease := ledger.lease("bulk", "w", 64):
        leased.append(lease.first)
        if lease.first == poison:
            ledger.fail(lease.token, "no paint")
        else:
            work(store, ledger, record, lease)
    return leased


def partial(
    store: Store, ledger: Ledger, packaging: Packaging = "files", keep: str | None = None
) -> JobRecord:
    """An order of 300 images that has ended without those of one cell."""
    record = order(store, ledger, new_record("j", 300, packaging=packaging, keep=keep))
    fail_at(store, ledger, record)
    settle_jobs(store, ledger)
    assert ended(store, record).dead == [POISON]
    return record


def retry(store: Store, ledger: Ledger) -> JobRecord:
    store.put(MODEL, b"{}")
    return retry_job(store, ledger, Settings(), "ada", "j")


def counted(store: Store, record: JobRecord) -> tuple[int, int, int]:
    """The orders, images and bytes that the tenant's usage counts."""
    day = ended(store, record).finished.date()
    rows = read_usage(store, "ada", day, day)
    return sum(row.orders for row in rows), sum(row.images for row in rows), sum(row.bytes for row in rows)


def in_cells(memory: MemoryStore) -> list[str]:
    return [key for key in memory.objects if "/cells/" in key]


@pytest.mark.parametrize("packaging", ["files", "tar"])
def test_the_failed_images_alone_are_made_and_counted(
    ledger: Ledger, memory: MemoryStore, packaging: Packaging
) -> None:
    record = partial(memory, ledger, packaging)
    with pytest.raises(Conflict, match="bags@1 is removed, so job j cannot be retried"):
        retry_job(memory, ledger, Settings(), "ada", "j")
    with pytest.raises(Conflict, match="bags@1 is removed, so failures of job j cannot be listed"):
        failures(memory, ledger, record)
    first, before = ended(memory, record), counted(memory, record)
    retry(memory, ledger)
    assert retry(memory, ledger) == record, "a request that is sent again changes nothing"
    progress = ledger.progress("j")
    assert progress
    assert (progress.state, progress.done, progress.failed, progress.error) == ("running", 236, 0, None)
    assert ledger.backlog("bulk").images == 64
    assert set(fail_at(memory, ledger, record)) == {POISON}, "an image was made again"
    settle_jobs(memory, ledger)
    assert (ended(memory, record).state, ended(memory, record).retries) == ("partial", 1)
    assert ended(memory, record).errors == {POISON: CellError(attempts=3, error="no paint")}
    assert counted(memory, record) == before

    retry(memory, ledger)
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    last = ended(memory, record)
    assert (last.state, last.done, last.dead, last.retries) == ("succeeded", 300, [], 2)
    assert counted(memory, record) == (1, 300, last.bytes)
    assert [line.index for line in delivery.images(memory, record)] == list(range(300))
    assert published(memory, record) == set(range(5))
    assert not [key for key in in_cells(memory) if key.endswith(".jsonl")]
    assert len(in_cells(memory)) == (300 if packaging == "files" else 5)
    assert message_id(record, first) != message_id(record, last)


def test_an_order_of_which_everything_failed_counts_once_it_delivers(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = order(memory, ledger, new_record("j", 64, packaging="files"))
    fail_at(memory, ledger, record, poison=0)
    settle_jobs(memory, ledger)
    assert (ended(memory, record).state, counted(memory, record)) == ("failed", (0, 0, 0))
    retry(memory, ledger)
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    assert counted(memory, record) == (1, 64, 64 * len(b"image"))


@pytest.mark.parametrize("fault", ["wipe", "restart", "none"])
def test_a_retry_survives_kill_9_at_each_write_and_what_redis_loses(
    ledger: Ledger, tmp_path: Path, fault: str
) -> None:
    store = DyingStore(tmp_path, "secret", "http://127.0.0.1:1")
    record = partial(store, ledger, "tar")

    def killed_before(writes: int, work: Callable[[], object]) -> None:
        store.killed_before(writes, work)
        ledger.client.delete("prodgen:turn:j")  # the lock of the dead process is free after two minutes
        if fault == "wipe":
            ledger.client.flushdb()
        elif fault == "restart":
            ledger.client.set("prodgen:server", "the one before")
        ensure(store, ledger)

    for writes in range(4):
        killed_before(writes, lambda: retry(store, ledger))
    retry(store, ledger)
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    killed_before(2, lambda: work(store, ledger, record, lease))  # counted, and not published
    for writes in range(3):
        killed_before(writes, lambda: settle_jobs(store, ledger))
    settle_jobs(store, ledger)
    last = ended(store, record)
    assert (last.state, last.done, last.retries) == ("succeeded", 300, 1)
    assert counted(store, record) == (1, 300, last.bytes)
    assert [line.index for line in delivery.images(store, record)] == list(range(300))


def test_images_that_are_taken_back_survive_kill_9_at_each_write_and_count_once(
    ledger: Ledger, tmp_path: Path
) -> None:
    store = DyingStore(tmp_path, "secret", "http://127.0.0.1:1")
    record = order(store, ledger, new_record("j", 300))
    work_off(store, ledger, record, images=128)
    settle_jobs(store, ledger)
    before = counted(store, record)
    first, *others = published_whole(store, record)

    def take_back() -> int:
        return withdraw(store, ledger, record, {first.folder}, "an audit")

    for writes in range(5):
        store.killed_before(writes, take_back)
        ledger.client.delete("prodgen:turn:j")  # the lock of the dead process is free after two minutes
    take_back()
    end = ended(store, record)
    assert (end.state, end.done, end.dead, end.withdrawn) == ("partial", 172, [0, 1], 128)
    progress = ledger.progress("j")
    assert progress
    assert (progress.state, progress.done, progress.failed) == ("partial", 172, 128), (
        "its retry may be refused"
    )
    assert published_whole(store, record) == others
    assert not [info for info in store.list(keys.job("ada", "j", "cells/")) if first.folder in info.key]

    retry(store, ledger)
    work_off(store, ledger, record, images=128)
    settle_jobs(store, ledger)
    last = ended(store, record)
    assert (last.state, last.done, counted(store, record)) == ("succeeded", 300, before)
    assert [line.index for line in delivery.images(store, record)] == list(range(300))
    assert last.root


def test_maintenance_completes_a_retry_whose_gateway_died(ledger: Ledger, tmp_path: Path) -> None:
    store = DyingStore(tmp_path, "secret", "http://127.0.0.1:1")
    record = partial(store, ledger, "tar")
    finished = ended(store, record).finished
    store.killed_before(4, lambda: (retry(store, ledger), store.delete([])))
    ledger.client.delete("prodgen:turn:j")
    assert load_state(store, record) is None
    ledger.forget("j")
    DeletedJobs(store).sweep(ledger, finished + 2 * LOOK_AGAIN)
    assert ledger.backlog("bulk").images == 64
    with pytest.raises(Conflict, match="has not ended"):
        DeletedJobs(store).delete(ledger, "ada", "j")


def test_a_process_that_still_ends_the_order_when_it_is_retried_harms_nothing(
    ledger: Ledger, memory: MemoryStore
) -> None:
    points = 0
    while end_and_retry_at(points, ledger, memory):
        points += 1
    assert points > 5


def end_and_retry_at(point: int, ledger: Ledger, memory: MemoryStore) -> bool:
    """Settle an order. At a call of the store after its end, another process retries it, and a worker writes.

    Returns False if there are fewer calls.
    """
    ledger.client.flushdb()
    memory.objects.clear()
    ensure(memory, ledger)
    record = order(memory, ledger, new_record("j", 300, packaging="files"))
    fail_at(memory, ledger, record)
    late = list[Callable[[], bool]]()

    def begin(method: str, key: str) -> None:
        nonlocal point
        if keys.job("ada", "j", "state.json") not in memory.objects:
            return
        point -= 1
        if point == -1:
            retry(memory, ledger)
            lease = ledger.lease("bulk", "w", 64)
            assert lease
            manifest = paint(memory, record, lease)
            late.append(lambda: report(memory, ledger, record, lease, manifest))

    memory.before = begin
    settle_job(memory, ledger, record)
    memory.before = lambda method, key: None
    if not late:
        return False
    assert late[0](), "the lease of the retry does not count"
    settle_job(memory, ledger, record)
    assert ended(memory, record).state == "succeeded"
    assert counted(memory, record)[:2] == (1, 300)
    assert published(memory, record) == set(range(5))
    return True


def test_only_an_order_with_failed_images_is_retried(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("j", 64))
    with pytest.raises(Conflict, match="has not ended"):
        retry(memory, ledger)
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    with pytest.raises(Conflict, match="has made all its images"):
        retry(memory, ledger)
    DeletedJobs(memory).delete(ledger, "ada", "j")
    with pytest.raises(NotFound):
        retry(memory, ledger)
    order(memory, ledger, new_record("other", 64))
    ledger.cancel("other")
    settle_jobs(memory, ledger)
    with pytest.raises(Conflict, match="was cancelled"):
        retry_job(memory, ledger, Settings(), "ada", "other")
