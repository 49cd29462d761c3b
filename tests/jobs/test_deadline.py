"""An order with a deadline ends soon after it, with the images that workers had taken by then."""

from datetime import UTC, datetime, timedelta

import pytest

from prodgen.jobs.control import change_job, retry_job
from prodgen.jobs.ending import settle_jobs
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import CellError
from prodgen.ledger.ledger import TOO_LATE, Ledger
from prodgen.recovery import ensure
from prodgen.settings import Settings
from prodgen.spec.order import CELL
from tests.jobs.workshop import ended, new_record, order, work, work_off
from tests.ledger.memory import MemoryStore


def order_until(memory: MemoryStore, ledger: Ledger, seconds: float, images: int = 300) -> JobRecord:
    """Place an order whose deadline is in so many seconds, which may be negative: the deadline has passed."""
    plain = new_record("j", images)
    spec = plain.spec.model_copy(update={"finish_by": datetime.now(UTC) + timedelta(seconds=seconds)})
    return order(memory, ledger, plain.model_copy(update={"spec": spec}))


def test_images_that_no_worker_has_taken_by_the_deadline_are_not_made(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = order_until(memory, ledger, seconds=-1)
    lease = ledger.lease("bulk", "w", 64)
    unlucky = ledger.lease("bulk", "unlucky", 64)
    assert lease
    assert unlucky
    ledger.fail(unlucky.token, "no paint")
    assert ledger.pass_deadlines() == 4
    assert (ledger.backlog("bulk").images, ledger.lease("bulk", "other", 64)) == (0, None)
    assert settle_jobs(memory, ledger) == [], "a worker still makes images that count"
    assert work(memory, ledger, record, lease)
    assert ledger.pass_deadlines() == 0
    settle_jobs(memory, ledger)
    state = ended(memory, record)
    assert (state.state, state.done, state.dead) == ("partial", 64, [1, 2, 3, 4])
    assert state.error == f"236 of 300 images could not be made: {TOO_LATE}"
    assert state.errors[1] == CellError(attempts=1, error=TOO_LATE)
    assert state.errors[4] == CellError(attempts=0, error=TOO_LATE)

    memory.put("shared/models/bags/1/config.json", b"{}")
    retry_job(memory, ledger, Settings(), "ada", "j")
    assert ledger.pass_deadlines() == 0, "a retry has no deadline"
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    assert ended(memory, record).state == "succeeded"


def test_cells_that_a_lease_returns_after_the_deadline_are_not_made(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = order_until(memory, ledger, seconds=-1, images=64)
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    assert ledger.pass_deadlines() == 0
    ledger.release(lease.token)
    assert ledger.pass_deadlines() == 1
    settle_jobs(memory, ledger)
    assert ended(memory, record).state == "failed"


def test_no_order_ends_before_its_deadline(ledger: Ledger, memory: MemoryStore) -> None:
    record = order_until(memory, ledger, seconds=3600)
    assert ledger.pass_deadlines() == 0
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    assert ended(memory, record).state == "succeeded"
    assert ledger.client.keys("prodgen:deadlines") == []


@pytest.mark.parametrize("cells", [3, 12_000])
def test_a_paused_order_of_any_size_ends_at_its_deadline_after_a_wipe(
    ledger: Ledger, memory: MemoryStore, cells: int
) -> None:
    record = order_until(memory, ledger, seconds=-1, images=CELL * cells)
    change_job(memory, ledger, Settings(), "ada", "j", paused=True)
    ledger.client.flushdb()
    ensure(memory, ledger)
    assert ledger.pass_deadlines() == cells
    settle_jobs(memory, ledger)
    state = ended(memory, record)
    assert (state.state, len(state.dead), len(state.errors)) == ("failed", cells, min(cells, 1000))
