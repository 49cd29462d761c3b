"""What the store says at a job's end is true, whoever died on the way there."""

from typing import Literal

import pytest
import redis

from prodgen.jobs import delivery
from prodgen.jobs.ending import discard, report, settle_job, settle_jobs
from prodgen.jobs.machines import all_shut_out
from prodgen.jobs.record import JobRecord
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost
from prodgen.storage import keys
from tests.jobs.workshop import ended, new_record, order, paint, work, work_off
from tests.ledger.memory import MemoryStore


class Killed(BaseException):
    """kill -9."""


def delivered(memory: MemoryStore, record: JobRecord) -> list[int]:
    """The indices that a reader gets, having checked that their objects exist."""
    lines = list(delivery.images(memory, record))
    assert all(line.object in memory.objects for line in lines)
    return [line.index for line in lines]


def under(memory: MemoryStore, record: JobRecord, *parts: str) -> list[str]:
    prefix = keys.job(record.tenant, record.id, *parts)
    return [key.removeprefix(prefix) for key in sorted(memory.objects) if key.startswith(prefix)]


@pytest.mark.parametrize("packaging", ["files", "tar"])
def test_a_finished_order_is_whole_and_leaves_nothing_else_behind(
    ledger: Ledger, memory: MemoryStore, packaging: str
) -> None:
    record = order(memory, ledger, new_record("j", 300, packaging=packaging))  # type: ignore[arg-type]
    work_off(memory, ledger, record)
    [(_, state)] = settle_jobs(memory, ledger)
    assert (state.state, state.done) == ("succeeded", 300)
    assert delivered(memory, record) == list(range(300))
    named = {line.object for line in delivery.images(memory, record)}
    assert {keys.job("ada", "j", "cells/") + name for name in under(memory, record, "cells/")} == named
    assert settle_jobs(memory, ledger) == []


def test_a_winner_that_dies_before_it_publishes_loses_nothing(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("j", 300))
    while lease := ledger.lease("bulk", "w", 128):
        manifest = paint(memory, record, lease)
        folder = keys.cell_folder("ada", "j", lease.first, lease.token)
        memory.put(f"{folder}.jsonl", manifest)
        ledger.complete(lease.token)
    settle_jobs(memory, ledger)
    assert delivered(memory, record) == list(range(300))


def test_losers_images_are_swept(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("j", 128, packaging="files"))
    loser = ledger.lease("bulk", "w", 64)
    half = ledger.lease("bulk", "v", 64)
    assert loser
    assert half
    for lease in (loser, half):
        ledger.release(lease.token)
    paint(memory, record, half, part=True)
    assert not work(memory, ledger, record, loser)
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    left = under(memory, record, "cells/")
    assert len(left) == 128
    assert not [name for name in left if loser.token in name or half.token in name]


def test_a_worker_that_lost_its_lease_takes_its_images_away(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("j", 128, packaging="files"))
    mine, theirs = ledger.lease("bulk", "w", 64), ledger.lease("bulk", "v", 64)
    assert mine
    assert theirs
    for lease in (mine, theirs):
        paint(memory, record, lease)
    discard(memory, record, mine)
    left = under(memory, record, "cells/")
    assert len(left) == 64
    assert all(theirs.token in name for name in left)


def test_a_worker_that_comes_after_the_end_leaves_no_litter(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("j", 128, packaging="files"))
    winner, late = ledger.lease("bulk", "w", 64), ledger.lease("bulk", "v", 64)
    assert winner
    assert late
    work(memory, ledger, record, winner)
    ledger.cancel("j")
    settle_job(memory, ledger, record)
    assert not work(memory, ledger, record, late)
    assert len(under(memory, record, "cells/")) == 64
    assert delivered(memory, record) == list(range(64))


def test_a_cancelled_order_keeps_what_was_made(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("j", 640))
    made, unpublished, late = (ledger.lease("bulk", f"w{n}", 64) for n in range(3))
    assert made
    assert unpublished
    assert late
    work(memory, ledger, record, made)
    folder = keys.cell_folder("ada", "j", unpublished.first, unpublished.token)
    memory.put(f"{folder}.jsonl", paint(memory, record, unpublished))
    ledger.complete(unpublished.token)
    ledger.cancel("j")
    assert not work(memory, ledger, record, late)
    state = settle_job(memory, ledger, record)
    assert state
    assert (state.state, state.done) == ("cancelled", 128)
    assert delivered(memory, record) == list(range(128))


def test_what_the_store_has_lost_is_made_again_and_not_lied_about(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = order(memory, ledger, new_record("j", 300))
    work_off(memory, ledger, record)
    for name in under(memory, record, "manifest/000000002"):
        del memory.objects[keys.job("ada", "j", "manifest/000000002") + name]
    for name in under(memory, record, "cells/000000002"):
        del memory.objects[keys.job("ada", "j", "cells/000000002") + name]
    assert settle_job(memory, ledger, record) is None
    progress = ledger.progress("j")
    assert progress
    assert (progress.state, progress.done) == ("running", 300 - 128)
    work_off(memory, ledger, record)
    assert settle_job(memory, ledger, record)
    assert delivered(memory, record) == list(range(300))


@pytest.mark.parametrize("damage", [b"", b'{"index": 1', b'{"index": 63}', b'{"index": 500, "object": "x"}'])
def test_a_broken_manifest_is_made_again(ledger: Ledger, memory: MemoryStore, damage: bytes) -> None:
    record = order(memory, ledger, new_record("j", 300))
    work_off(memory, ledger, record)
    memory.objects[keys.manifest("ada", "j", 2)] = damage
    assert settle_job(memory, ledger, record) is None
    work_off(memory, ledger, record)
    assert settle_job(memory, ledger, record)
    assert delivered(memory, record) == list(range(300))


def test_a_worker_that_names_the_files_of_another_lease_is_shut_out_and_the_other_is_not(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = order(memory, ledger, new_record("j", 192))
    honest, liar = (ledger.lease("bulk", worker, 64) for worker in ("honest-1-a", "liar-2-b"))
    assert honest
    assert liar
    work(memory, ledger, record, honest)
    lines = paint(memory, record, liar).decode().replace(liar.token, honest.token)
    assert report(memory, ledger, record, liar, lines.encode())
    work_off(memory, ledger, record)
    assert settle_job(memory, ledger, record) is None, "the borrowed files were counted"
    assert [one.machine for one in all_shut_out(memory)] == [liar.token.rpartition("-")[2]]
    assert ledger.lease("bulk", "liar-2-b", 64) is None
    work_off(memory, ledger, record)
    assert settle_job(memory, ledger, record)
    assert delivered(memory, record) == list(range(192))


def test_a_manifest_that_a_late_process_has_overwritten_blames_no_machine(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = order(memory, ledger, new_record("j", 128))
    lease = ledger.lease("bulk", "honest-1-a", 64)
    assert lease
    work(memory, ledger, record, lease)
    key = keys.manifest("ada", "j", lease.first)
    memory.objects[key] = memory.objects[key].replace(lease.token.encode(), b"e-1-00000000")
    work_off(memory, ledger, record)
    assert settle_job(memory, ledger, record) is None, "files that do not exist were counted"
    assert all_shut_out(memory) == []
    work_off(memory, ledger, record)
    assert settle_job(memory, ledger, record)
    assert delivered(memory, record) == list(range(128))


def test_a_settler_that_slept_through_the_end_blames_no_machine_and_deletes_no_manifest(
    ledger: Ledger, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = order(memory, ledger, new_record("j", 256))
    work_off(memory, ledger, record)  # two leases

    def sleep(*_: object) -> dict[str, int]:
        monkeypatch.undo()
        assert settle_job(memory, ledger, record), "another process settles the job"
        memory.delete([key for key in memory.objects if "/cells/" in key])
        return {}

    monkeypatch.setattr("prodgen.jobs.ending.sizes_of", sleep)
    assert settle_job(memory, ledger, record) is None
    assert all_shut_out(memory) == []
    assert len(under(memory, record, "manifest/")) == 2


@pytest.mark.parametrize(("empty", "shut"), [(1, 0), (3, 1)])
@pytest.mark.parametrize("packaging", ["files", "tar"])
def test_leases_without_files_are_made_again_and_a_machine_with_several_is_shut_out(
    ledger: Ledger, memory: MemoryStore, packaging: Literal["files", "tar"], empty: int, shut: int
) -> None:
    record = order(memory, ledger, new_record("j", 64 * (empty + 1), packaging=packaging))
    for _ in range(empty):
        lease = ledger.lease("bulk", "liar-2-b", 64)
        assert lease
        before = {*memory.objects}
        manifest = paint(memory, record, lease)
        memory.delete({*memory.objects} - before)
        assert report(memory, ledger, record, lease, manifest)
    work_off(memory, ledger, record)
    assert settle_job(memory, ledger, record) is None, "files that do not exist were counted"
    assert len(all_shut_out(memory)) == shut
    work_off(memory, ledger, record)
    assert settle_job(memory, ledger, record)
    assert delivered(memory, record) == list(range(record.total))


def test_a_finaliser_killed_at_any_point_is_taken_over(ledger: Ledger, memory: MemoryStore) -> None:
    for point in range(40):
        record = order(memory, ledger, new_record(f"j{point}", 200))
        while lease := ledger.lease("bulk", "w", 64):
            folder = keys.cell_folder("ada", record.id, lease.first, lease.token)
            memory.put(f"{folder}.jsonl", paint(memory, record, lease))
            ledger.complete(lease.token)
        calls = 0

        def die(method: str, key: str, point: int = point) -> None:
            nonlocal calls
            calls += 1
            if calls > point:
                raise Killed

        memory.before = die
        survived = True
        try:
            settle_job(memory, ledger, record)
        except Killed:
            survived = False
        memory.before = lambda method, key: None
        settle_jobs(memory, ledger)
        state = ended(memory, record)
        assert (state.state, state.done) == ("succeeded", 200)
        assert delivered(memory, record) == list(range(200))
        assert ledger.finishing() == []
        if survived:
            return
    pytest.fail("a finaliser needs fewer calls than that")


def test_two_finalisers_at_once_agree(ledger: Ledger, memory: MemoryStore) -> None:
    for point in range(20):
        record = order(memory, ledger, new_record(f"j{point}", 200))
        work_off(memory, ledger, record)
        calls = 0
        seen: list[bytes] = []

        def meanwhile(
            method: str, key: str, point: int = point, record: JobRecord = record, seen: list[bytes] = seen
        ) -> None:
            nonlocal calls
            calls += 1
            if calls == point + 1:
                memory.before = lambda method, key: None
                settle_job(memory, ledger, record)
                seen.append(memory.objects[keys.job("ada", record.id, "state.json")])

        memory.before = meanwhile
        settle_job(memory, ledger, record)
        memory.before = lambda method, key: None
        if not seen:
            return
        assert memory.objects[keys.job("ada", record.id, "state.json")] == seen[0]
        assert delivered(memory, record) == list(range(200))
    pytest.fail("a finaliser needs fewer calls than that")


def test_one_job_that_cannot_end_does_not_hold_up_the_others(
    ledger: Ledger, memory: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    lost = order(memory, ledger, new_record("a", 64))
    fine = order(memory, ledger, new_record("b", 64))
    work_off(memory, ledger, lost, fine)
    del memory.objects[keys.job("ada", "a", "job.json")]
    assert [record.id for record, _ in settle_jobs(memory, ledger)] == ["b"]
    assert "job a cannot be settled" in caplog.text


def test_a_finaliser_that_slept_through_a_wipe_writes_no_end(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    record = order(memory, ledger, new_record("j", 200))
    assert ledger.lease("bulk", "w", 64)
    ledger.cancel("j")

    def wipe(method: str, key: str) -> None:
        if method == "list":
            memory.before = lambda method, key: None
            client.flushdb()
            ledger.open(ledger.begin_recovery() or "")

    memory.before = wipe
    assert settle_job(memory, ledger, record) is None
    assert under(memory, record, "state.json") == []


@pytest.mark.parametrize("packaging", ["files", "tar"])
def test_a_straggler_of_a_cancelled_order_leaves_nothing_even_if_the_ledger_is_lost(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis, packaging: str
) -> None:
    record = order(memory, ledger, new_record("j", 300, packaging=packaging))  # type: ignore[arg-type]
    lease = ledger.lease("bulk", "w", 128)
    assert lease
    ledger.cancel("j")
    assert settle_job(memory, ledger, record)
    client.flushdb()

    with pytest.raises(LedgerLost):
        work(memory, ledger, record, lease)

    assert under(memory, record, "cells/") == []
