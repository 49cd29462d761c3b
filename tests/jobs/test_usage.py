"""Usage counts each ended order exactly once, after any crash and any deletion."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prodgen.errors import ProdgenError
from prodgen.jobs.deletion import TRASH, DeletedJobs
from prodgen.jobs.ending import settle_jobs
from prodgen.jobs.record import JobRecord
from prodgen.jobs.usage import Usage, read_usage, record_all_usage, record_renders
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.renders import Asked, Renders
from prodgen.recovery import ensure
from prodgen.spec.formula import Formula
from prodgen.storage import keys
from tests.jobs.test_deletion import killed_at, wipe
from tests.jobs.workshop import DyingStore, ended, new_record, order, work, work_off
from tests.ledger.memory import MemoryStore


def usage(memory: MemoryStore, record: JobRecord) -> list[tuple[str, int, int, int]]:
    """The usage of the tenant on the day on which the order ended: model, orders, images, bytes."""
    day = ended(memory, record).finished.date()
    return [row[1:] for row in read_usage(memory, "ada", day, day)]


def test_partial_cancelled_and_deleted_orders_count_what_they_delivered(
    ledger: Ledger, memory: MemoryStore
) -> None:
    whole = order(memory, ledger, new_record("whole", 100, packaging="files"))
    work_off(memory, ledger, whole)
    part = order(memory, ledger, new_record("part", 300, packaging="files"))
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    work(memory, ledger, part, lease)
    ledger.cancel("part")
    order(memory, ledger, new_record("none", 100))
    ledger.cancel("none")
    settle_jobs(memory, ledger)
    expected = [("bags@1", 2, 164, 164 * len(b"image"))]
    assert usage(memory, whole) == expected
    DeletedJobs(memory).delete(ledger, "ada", "whole", for_good=True)
    DeletedJobs(memory).sweep(ledger, ended(memory, part).finished + 2 * TRASH)
    assert usage(memory, part) == expected


@pytest.mark.parametrize("fault", ["wipe", "restart", "none"])
def test_usage_is_exact_after_a_kill_at_any_write_of_the_end(
    ledger: Ledger, memory: MemoryStore, fault: str
) -> None:
    record = order(memory, ledger, new_record("j", 100, packaging="files"))
    work_off(memory, ledger, record)
    begun = dict(memory.objects)
    for writes in range(9):
        killed_at(memory, writes, lambda: settle_jobs(memory, ledger))
        if fault == "wipe":
            killed_at(memory, writes % 3, lambda: wipe(memory, ledger))
            wipe(memory, ledger)
        elif fault == "restart":
            ledger.client.set("prodgen:server", "the one before")
            killed_at(memory, writes % 3, lambda: ensure(memory, ledger))
            ledger.client.delete("prodgen:recovering")  # the right of the dead process ends after 30 seconds
            ensure(memory, ledger)
        settle_jobs(memory, ledger)
        assert usage(memory, record) == [("bags@1", 1, 100, 500)]
        assert not [key for key in memory.objects if "/cells/" in key and key.endswith(".jsonl")]
        memory.objects = dict(begun)
        wipe(memory, ledger)


def test_usage_is_recorded_after_a_real_kill_between_the_end_and_its_record(
    ledger: Ledger, tmp_path: Path
) -> None:
    store = DyingStore(tmp_path, "secret", "http://127.0.0.1:1")
    record = order(store, ledger, new_record("j", 100, packaging="files"))
    work_off(store, ledger, record)
    store.killed_before(2, lambda: settle_jobs(store, ledger))
    day = ended(store, record).finished.date()
    assert read_usage(store, "ada", day, day) == []
    settle_jobs(store, ledger)
    assert [row.images for row in read_usage(store, "ada", day, day)] == [100]


def test_the_usage_of_orders_of_an_older_version_is_counted_again(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = order(memory, ledger, new_record("j", 100, packaging="files"))
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    new = usage(memory, record)
    old = ended(memory, record).model_dump_json(exclude={"bytes"})
    memory.put(keys.job("ada", "j", "state.json"), old.encode())
    memory.delete([key for key in memory.objects if "/usage/" in key])
    assert usage(memory, record) == []
    assert [record_all_usage(memory) for _ in range(2)] == [1, 1]
    assert usage(memory, record) == new == [("bags@1", 1, 100, 500)]


def test_a_range_is_of_whole_days_and_not_endless(memory: MemoryStore, ledger: Ledger) -> None:
    record = order(memory, ledger, new_record("j", 1))
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    day = ended(memory, record).finished.date()
    week, later = timedelta(days=6), timedelta(days=1)
    size = ended(memory, record).bytes
    assert read_usage(memory, "ada", day - week, day) == [Usage(day, "bags@1", 1, 1, size or 0)]
    assert read_usage(memory, "ada", day + later, day + week) == []
    for first in (day + later, day - timedelta(days=366)):
        with pytest.raises(ProdgenError, match="choose another first day"):
            read_usage(memory, "ada", first, day)


def test_a_process_that_counts_late_does_not_take_back_what_another_one_recorded(
    ledger: Ledger, memory: MemoryStore
) -> None:
    renders, day = Renders(ledger), datetime.now(UTC).date()

    def make(index: int) -> None:
        formula = Formula(model="bags@1", seed=7, index=index, format="png", attributes={})
        renders.ask(Asked("ada", formula), 1.0)
        for asked in renders.take("w", 8):
            renders.end(asked, size=10)

    def meanwhile(method: str, key: str) -> None:
        memory.before = lambda method, key: None
        make(1)
        record_renders(memory, ledger)

    make(0)
    memory.before = meanwhile
    record_renders(memory, ledger)
    memory.before = lambda method, key: None
    counted = [row.images for row in read_usage(memory, "ada", day, datetime.now(UTC).date())]
    assert sum(counted) == 2
