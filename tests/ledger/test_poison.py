"""Images that kill their worker cost themselves, not the order, nor the workers for ever."""

from collections.abc import Callable

import pytest
import redis

from prodgen.jobs.ending import settle_jobs
from prodgen.ledger.entries import JobEntry
from prodgen.ledger.ledger import Ledger
from tests.jobs.workshop import ended, new_record, order, work
from tests.ledger.memory import MemoryStore

RunOut = Callable[..., None]
POISON = 2


def overcome(ledger: Ledger, memory: MemoryStore, run_out: RunOut, raises: bool) -> list[int]:
    """Work at an order of five cells of which one is poison; how often it did harm, by lease size."""
    record = order(memory, ledger, new_record("j", 300))
    harm = []
    for attempt in range(30):
        lease = ledger.lease("bulk", f"w{attempt}", 128)
        if lease is None:
            break
        if POISON not in range(lease.first, lease.first + lease.cells):
            work(memory, ledger, record, lease)
            continue
        harm.append(lease.cells)
        if raises:
            ledger.fail(lease.token, "CUDA error: device-side assert")
        else:
            run_out(lease.token)
            ledger.expire()
    assert [(r.id, s.state) for r, s in settle_jobs(memory, ledger)] == [("j", "partial")]
    state = ended(memory, record)
    assert state.dead == [POISON]
    assert state.done == 300 - 64
    assert state.error
    assert "64 of 300 images" in state.error
    assert ("CUDA error" if raises else "the worker was lost") in state.error
    return harm


@pytest.mark.parametrize("raises", [True, False])
def test_a_poisonous_cell_is_set_aside_after_three_lone_failures_and_the_rest_delivered(
    ledger: Ledger, memory: MemoryStore, run_out: RunOut, raises: bool
) -> None:
    assert overcome(ledger, memory, run_out, raises) == [2, 1, 1, 1]


def test_a_lost_lease_of_many_cells_is_searched_by_halves(ledger: Ledger, run_out: RunOut) -> None:
    ledger.submit(JobEntry("j", "ada", "bulk", 64 * 256))
    sizes, poison = [], 77
    while lease := ledger.lease("bulk", f"w{len(sizes)}", 64 * 256):
        if poison in range(lease.first, lease.first + lease.cells):
            sizes.append(lease.cells)
            run_out(lease.token)
            ledger.expire()
        else:
            assert ledger.complete(lease.token)
    assert sizes == [256, 128, 64, 32, 16, 8, 4, 2, 1, 1, 1]
    progress = ledger.progress("j")
    assert progress
    assert (ledger.dead("j"), progress.failed, progress.done) == ([poison], 64, 64 * 255)


def test_a_lease_whose_answer_was_lost_is_the_same_lease(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prodgen.ledger.ledger.secrets.token_hex", lambda n: "the same request")
    ledger.submit(JobEntry("j", "ada", "bulk", 640))
    first, again = ledger.lease("bulk", "w", 64), ledger.lease("bulk", "w", 64)
    assert first == again
    assert ledger.backlog("bulk").images == 640 - 64
    assert ledger.complete(first.token if first else "")
    other = ledger.lease("bulk", "w", 64)
    assert other != first, "a lease that has ended is not given again"


def test_a_suspect_runs_alone_on_its_worker(ledger: Ledger, run_out: RunOut) -> None:
    ledger.submit(JobEntry("j", "ada", "bulk", 192))
    dead = ledger.lease("bulk", "unlucky", 128)
    assert dead
    busy = ledger.lease("bulk", "busy", 64)
    assert busy
    run_out(dead.token)
    ledger.expire()

    assert ledger.lease("bulk", "busy", 64) is None
    alone = ledger.lease("bulk", "free", 640)
    assert alone
    assert (alone.cells, alone.alone) == (1, True)
    ledger.submit(JobEntry("other", "ada", "bulk", 640))
    ledger.submit(JobEntry("preview", "ada", "interactive", 64))
    assert ledger.lease("bulk", "free", 64) is None
    assert ledger.lease("interactive", "free", 64) is None
    ledger.complete(alone.token)
    assert ledger.lease("interactive", "free", 64)


def test_a_suspect_is_not_starved_by_a_worker_that_is_never_idle(ledger: Ledger, run_out: RunOut) -> None:
    ledger.submit(JobEntry("hurt", "ada", "interactive", 64))
    ledger.submit(JobEntry("endless", "bob", "bulk", 1_000_000))
    hurt = ledger.lease("interactive", "gone", 64)
    assert hurt
    run_out(hurt.token)
    ledger.expire()

    held = [ledger.lease("bulk", "w", 64), ledger.lease("bulk", "w", 64)]
    assert ledger.lease("interactive", "w", 64) is None
    for lease in held:
        assert lease
        assert ledger.lease("bulk", "w", 64) is None
        ledger.complete(lease.token)
    cured = ledger.lease("bulk", "w", 64)
    assert cured
    assert (cured.job, cured.alone) == ("hurt", True)


def test_a_worker_kept_free_for_a_suspect_works_on_when_another_was_faster(
    ledger: Ledger, run_out: RunOut
) -> None:
    ledger.submit(JobEntry("hurt", "ada", "interactive", 64))
    ledger.submit(JobEntry("endless", "bob", "bulk", 1_000_000))
    hurt = ledger.lease("interactive", "gone", 64)
    assert hurt
    run_out(hurt.token)
    ledger.expire()
    assert ledger.lease("bulk", "w", 64)
    assert ledger.lease("interactive", "w", 64) is None
    assert ledger.lease("bulk", "w", 64) is None
    assert ledger.lease("interactive", "faster", 64)
    assert ledger.lease("bulk", "w", 64)


def test_a_machine_that_dies_is_not_held_against_its_images(
    ledger: Ledger, memory: MemoryStore, run_out: RunOut
) -> None:
    record = order(memory, ledger, new_record("j", 640))
    for machine in range(5):
        assert ledger.lease("bulk", f"preempted{machine}", 128)
    run_out()
    assert len(ledger.expire()) == 5
    while lease := ledger.lease("bulk", "healthy", 640):
        assert work(memory, ledger, record, lease)
    settle_jobs(memory, ledger)
    assert ended(memory, record).state == "succeeded"


def test_a_suspect_handed_back_stays_suspect_and_without_blame(ledger: Ledger, run_out: RunOut) -> None:
    ledger.submit(JobEntry("j", "ada", "bulk", 64))
    assert ledger.lease("bulk", "w", 64)
    run_out()
    ledger.expire()
    for _ in range(9):
        alone = ledger.lease("bulk", "w", 64)
        assert alone
        assert alone.alone
        ledger.release(alone.token)
    progress = ledger.progress("j")
    assert progress
    assert progress.failed == 0


def test_a_cell_that_completes_is_cleared(ledger: Ledger, memory: MemoryStore, client: redis.Redis) -> None:
    record = order(memory, ledger, new_record("j", 64))
    for _ in range(2):
        lease = ledger.lease("bulk", "w", 64)
        assert lease
        ledger.fail(lease.token, "out of memory")
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    assert work(memory, ledger, record, lease)
    assert not client.exists("prodgen:job:j:strikes")
    settle_jobs(memory, ledger)
    state = ended(memory, record)
    assert (state.state, state.error) == ("succeeded", None)


def test_an_order_of_which_nothing_can_be_made_fails_and_says_why(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    record = order(memory, ledger, new_record("j", 128))
    while lease := ledger.lease("bulk", "w", 128):
        ledger.fail(lease.token, "the model's weights are not finite")
    settle_jobs(memory, ledger)
    state = ended(memory, record)
    assert (state.state, state.done, state.dead) == ("failed", 0, [0, 1])
    assert state.error == "128 of 128 images could not be made: the model's weights are not finite"
    progress = ledger.progress("j")
    assert progress
    assert (progress.state, progress.failed, progress.error) == ("failed", 128, state.error)
    assert not client.exists("prodgen:job:j:dead"), "the store lists the cells, and Redis only their images"


def test_a_job_that_a_worker_refuses_is_left_to_others_and_fails_if_all_refuse(ledger: Ledger) -> None:
    ledger.submit(JobEntry("j", "ada", "bulk", 64))
    for worker in ("without", "with"):
        ledger.report_worker(worker, {})
    lease = ledger.lease("bulk", "without", 64)
    assert lease
    ledger.refuse(lease.token, "the cutter is missing")
    assert ledger.lease("bulk", "without", 64) is None
    ledger.submit(JobEntry("k", "ada", "bulk", 64))
    other = ledger.lease("bulk", "without", 64)
    assert other
    assert other.job == "k", "it must still make the other jobs"

    for _ in range(3):
        for worker in ("with", "without"):
            lease = ledger.lease("bulk", worker, 64)
            if lease and lease.job == "j":
                ledger.refuse(lease.token, "the cutter is missing")
        ledger.complete(other.token)
    progress = ledger.progress("j")
    assert progress
    assert (progress.state, progress.failed, progress.error) == ("finishing", 64, "the cutter is missing")
