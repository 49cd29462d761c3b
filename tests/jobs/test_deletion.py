"""A deleted order is gone for all readers, can be restored for a week, and leaves nothing behind after it."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from prodgen.errors import Conflict, NotFound
from prodgen.jobs import delivery
from prodgen.jobs.control import keep_job
from prodgen.jobs.deletion import TRASH, DeletedJobs
from prodgen.jobs.ending import settle_jobs
from prodgen.jobs.record import JobRecord, find_record
from prodgen.ledger.ledger import Ledger
from prodgen.recovery import recover
from prodgen.storage import keys
from prodgen.storage.base import Store
from tests.jobs.test_ending import Killed
from tests.jobs.workshop import MONDAY, DyingStore, ended, new_record, order, work_off
from tests.ledger.memory import MemoryStore

SOON, LATE = MONDAY + timedelta(minutes=2), MONDAY + TRASH + timedelta(minutes=2)


def made(memory: Store, ledger: Ledger, job: str = "j", keep: str | None = None) -> JobRecord:
    record = order(memory, ledger, new_record(job, 100, packaging="files", keep=keep))
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    return record


def listed(ledger: Ledger) -> list[str]:
    return [job.id for job in ledger.jobs("ada")]


def wipe(memory: MemoryStore, ledger: Ledger) -> None:
    ledger.client.flushdb()
    assert recover(memory, ledger)


def left(memory: MemoryStore, job: str = "j") -> list[str]:
    """Everything of a job in the store, the trash, and all entries of orders that are due."""
    return [
        k for k in memory.objects if k.startswith((keys.job("ada", job, ""), keys.trash("ada"), keys.DUE))
    ]


def test_a_deleted_order_stays_deleted_after_a_wipe_and_leaves_nothing(
    ledger: Ledger, memory: MemoryStore
) -> None:
    made(memory, ledger)
    DeletedJobs(memory).delete(ledger, "ada", "j", now=MONDAY)
    assert (find_record(memory, "ada", "j"), listed(ledger)) == (None, [])
    wipe(memory, ledger)
    DeletedJobs(memory).sweep(ledger, SOON)
    assert listed(ledger) == []
    assert any("/cells/" in key for key in memory.objects)  # it may be restored
    DeletedJobs(memory).sweep(ledger, LATE)
    assert left(memory) == []


def test_a_restored_order_is_whole(ledger: Ledger, memory: MemoryStore) -> None:
    record = made(memory, ledger)
    before, progress = dict(memory.objects), ledger.progress("j")
    DeletedJobs(memory).delete(ledger, "ada", "j", now=MONDAY)
    assert DeletedJobs(memory).restore(ledger, "ada", "j", now=SOON) == record
    assert ledger.progress("j") == progress
    DeletedJobs(memory).sweep(ledger, LATE)
    assert memory.objects.keys() == before.keys()
    assert len(list(delivery.images(memory, record))) == 100


def test_an_order_deleted_for_good_keeps_only_its_key_for_a_week(ledger: Ledger, memory: MemoryStore) -> None:
    made(memory, ledger)
    DeletedJobs(memory).delete(ledger, "ada", "j", for_good=True, now=MONDAY)
    with pytest.raises(Conflict, match="deleted for good"):
        DeletedJobs(memory).restore(ledger, "ada", "j", now=MONDAY)
    DeletedJobs(memory).sweep(ledger, SOON)
    assert [key for key in left(memory) if not key.startswith(keys.DUE)] == [
        keys.job("ada", "j", "deleted.json")
    ]
    memory.put(keys.job("ada", "j", "cells/late.png"), b"of a worker that woke up")
    DeletedJobs(memory).sweep(ledger, LATE)
    assert left(memory) == []


def test_an_order_that_has_not_ended_is_not_deleted(ledger: Ledger, memory: MemoryStore) -> None:
    order(memory, ledger, new_record("j", 100))
    with pytest.raises(Conflict, match="job j has not ended; cancel it first"):
        DeletedJobs(memory).delete(ledger, "ada", "j")
    with pytest.raises(NotFound):
        DeletedJobs(memory).delete(ledger, "bob", "j")
    assert listed(ledger) == ["j"]


@pytest.mark.parametrize("change", ["delete", "delete for good", "restore"])
def test_a_kill_before_any_write_leaves_what_the_next_sweep_ends(
    ledger: Ledger, memory: MemoryStore, change: str
) -> None:
    """Killed before its first, second, … write, then swept: the order is whole, or gone for all readers."""
    changes: dict[str, Callable[[], object]] = {
        "delete": lambda: DeletedJobs(memory).delete(ledger, "ada", "j", now=MONDAY),
        "delete for good": lambda: DeletedJobs(memory).delete(ledger, "ada", "j", for_good=True, now=MONDAY),
        "restore": lambda: DeletedJobs(memory).restore(ledger, "ada", "j", now=MONDAY),
    }
    record = made(memory, ledger)
    whole = dict(memory.objects)
    for writes in count():
        if change == "restore":
            DeletedJobs(memory).delete(ledger, "ada", "j", now=MONDAY)
        done = killed_at(memory, writes, changes[change])
        DeletedJobs(memory).sweep(ledger, SOON)
        deletion, shown = DeletedJobs(memory).deleted("ada", "j"), find_record(memory, "ada", "j")
        assert (deletion is None) == (shown is not None) == (listed(ledger) == ["j"])
        restorable = [one.record.id for one in DeletedJobs(memory).restorable("ada", now=MONDAY)]
        assert restorable == (["j"] if deletion and deletion.wanted == "trash" else [])
        if shown:
            assert len(list(delivery.images(memory, record))) == 100
        if done:
            assert (shown is None) == change.startswith("delete")
        wipe(memory, ledger)
        assert listed(ledger) == (["j"] if shown else [])
        DeletedJobs(memory).sweep(ledger, LATE)
        if not shown:
            assert left(memory) == []
        memory.objects = dict(whole)
        wipe(memory, ledger)
        if done:
            return


def test_an_order_expires_when_its_time_is_over(ledger: Ledger, memory: MemoryStore) -> None:
    kept, _ = made(memory, ledger), made(memory, ledger, "short", keep="12h")
    end = ended(memory, new_record("short", 100)).finished
    DeletedJobs(memory).sweep(ledger, end + timedelta(hours=11))
    assert listed(ledger) == ["short", "j"]
    DeletedJobs(memory).sweep(ledger, end + timedelta(hours=12, seconds=1))
    assert (find_record(memory, "ada", "short"), listed(ledger)) == (None, ["j"])
    assert not any("/cells/" in key for key in left(memory, "short"))
    DeletedJobs(memory).sweep(ledger, end + 2 * TRASH)
    assert left(memory, "short") == []
    assert len(list(delivery.images(memory, kept))) == 100


def test_an_order_is_kept_longer_or_for_ever_or_less_long(ledger: Ledger, memory: MemoryStore) -> None:
    for job, keep in (("longer", "12h"), ("forever", "12h"), ("shorter", None)):
        made(memory, ledger, job, keep=keep)
    end = ended(memory, new_record("longer", 100)).finished
    for job, keep in (("longer", "2d"), ("forever", "forever"), ("shorter", "1d")):
        keep_job(memory, ledger, "ada", job, keep, now=end + timedelta(hours=1))
    with pytest.raises(Conflict, match="ended more than 1h ago"):
        keep_job(memory, ledger, "ada", "longer", "1h", now=end + timedelta(hours=2))
    there = []
    for hours in (23, 25, 49):
        DeletedJobs(memory).sweep(ledger, end + timedelta(hours=hours))
        there.append(sorted(listed(ledger)))
    assert there == [["forever", "longer", "shorter"], ["forever", "longer"], ["forever"]]


def test_the_trash_keeps_an_order_no_longer_than_the_order_itself_says(
    ledger: Ledger, memory: MemoryStore
) -> None:
    made(memory, ledger, keep="1d")
    end = ended(memory, new_record("j", 100)).finished
    DeletedJobs(memory).delete(ledger, "ada", "j", now=end + timedelta(hours=23))
    DeletedJobs(memory).restore(ledger, "ada", "j", now=end + timedelta(hours=23, minutes=30))
    DeletedJobs(memory).delete(ledger, "ada", "j", now=end + timedelta(hours=23))
    DeletedJobs(memory).sweep(ledger, end + timedelta(hours=25))
    assert not any("/cells/" in key for key in left(memory))


def test_an_expiry_survives_a_kill_at_any_write_from_the_end_of_the_order_on(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = order(memory, ledger, new_record("j", 100, packaging="files", keep="1h"))
    work_off(memory, ledger, record)
    begun = dict(memory.objects)
    for writes in range(12):
        killed_at(memory, writes, lambda: settle_jobs(memory, ledger))
        wipe(memory, ledger)
        settle_jobs(memory, ledger)
        end = ended(memory, record).finished
        killed_at(memory, writes, lambda: DeletedJobs(memory).sweep(ledger, end + timedelta(hours=2)))  # noqa: B023
        wipe(memory, ledger)
        DeletedJobs(memory).sweep(ledger, end + timedelta(hours=2))
        assert (find_record(memory, "ada", "j"), listed(ledger)) == (None, [])
        DeletedJobs(memory).sweep(ledger, end + 2 * TRASH)
        assert left(memory) == []
        memory.objects = dict(begun)
        wipe(memory, ledger)


def killed_at(memory: MemoryStore, writes: int, work: Callable[[], object]) -> bool:
    """Work, killed before write number ``writes``. Returns whether the work was completed."""
    left = count(writes, -1)

    def kill(method: str, key: str) -> None:
        if method in ("put", "delete") and next(left) <= 0:
            raise Killed

    memory.before = kill
    try:
        work()
    except Killed:
        return False
    finally:
        memory.before = lambda method, key: None
    return True


def test_maintenance_completes_a_deletion_whose_process_was_killed(ledger: Ledger, tmp_path: Path) -> None:
    """``kill -9`` in the middle of a deletion, then in the middle of the sweep; a real store and ledger."""
    store = DyingStore(tmp_path, "secret", "http://127.0.0.1:1")
    made(store, ledger)

    def killed_before(writes: int, work: Callable[[], object]) -> None:
        store.killed_before(writes, work)
        ledger.client.delete("prodgen:turn:j")  # the lock of the dead process ends after two minutes

    killed_before(4, lambda: DeletedJobs(store).delete(ledger, "ada", "j", now=MONDAY))
    assert find_record(store, "ada", "j")
    assert DeletedJobs(store).deleted("ada", "j")
    DeletedJobs(store).sweep(ledger, SOON)
    assert (find_record(store, "ada", "j"), listed(ledger)) == (None, [])
    killed_before(3, lambda: DeletedJobs(store).sweep(ledger, LATE))
    DeletedJobs(store).sweep(ledger, LATE)
    assert [info.key for prefix in (keys.jobs("ada"), keys.DUE) for info in store.list(prefix)] == []
