"""A deleted run is gone for all readers, can be restored for a week, and leaves nothing behind after it."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest

from prodgen.errors import Conflict, NotFound
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import RunEnd
from prodgen.recovery import recover
from prodgen.registry.versions import folder
from prodgen.runs.deletion import DeletedRuns
from prodgen.runs.files import find_record, load_end, write_end
from prodgen.storage import keys
from prodgen.trash import TRASH
from tests.jobs.test_deletion import killed_at
from tests.ledger.memory import MemoryStore
from tests.runs.conftest import MONDAY, new_run

SOON, LATE = MONDAY + timedelta(minutes=2), MONDAY + TRASH + timedelta(minutes=2)


@pytest.fixture
def trash(memory: MemoryStore) -> DeletedRuns:
    return DeletedRuns(memory)


def ended(memory: MemoryStore, roster: Roster, model: str | None = None, keep: str | None = None) -> None:
    """Enter a run that has ended, with a checkpoint and a log."""
    record = new_run("r").model_copy(update={"keep": keep})
    data = record.model_dump_json(indent=1, by_alias=True).encode()
    memory.put(keys.run("ada", "r", "spec.json"), data)
    memory.put(keys.run("ada", "r", "files", "0" * 64), b"weights")
    memory.put(keys.run("ada", "r", "logs", "1.txt"), b"step 1")
    write_end(memory, record, RunEnd(state="succeeded", step=9, restarts=0, model=model, finished=MONDAY))
    roster.add(record.entry(), load_end(memory, record))


def listed(roster: Roster) -> list[tuple[str, str]]:
    return [(run.id, run.state) for run in roster.runs("ada")]


@pytest.mark.parametrize("change", ["delete", "delete for good", "restore"])
def test_a_kill_before_any_write_leaves_what_the_next_sweep_ends(
    trash: DeletedRuns, memory: MemoryStore, roster: Roster, change: str
) -> None:
    """Killed before its first, second, … write, then swept: the run is whole, or gone for all readers."""
    ledger = roster.ledger
    changes: dict[str, Callable[[], object]] = {
        "delete": lambda: trash.delete(ledger, "ada", "r", now=MONDAY),
        "delete for good": lambda: trash.delete(ledger, "ada", "r", True, now=MONDAY),
        "restore": lambda: trash.restore(ledger, "ada", "r", now=MONDAY),
    }
    ended(memory, roster)
    whole = dict(memory.objects)
    for writes in count():
        if change == "restore":
            trash.delete(ledger, "ada", "r", now=MONDAY)
        done = killed_at(memory, writes, changes[change])
        trash.sweep(ledger, SOON)
        deletion, shown = trash.deleted("ada", "r"), find_record(memory, "ada", "r") is not None
        present = [("r", "succeeded")] if shown else []
        assert (deletion is None) == shown
        assert listed(roster) == present
        restorable = [one.record.id for one in trash.restorable("ada", now=MONDAY)]
        assert restorable == (["r"] if deletion and deletion.wanted == "trash" else [])
        if done:
            assert shown == (change == "restore")
        ledger.client.flushdb()
        assert recover(memory, ledger)
        assert listed(roster) == present
        trash.sweep(ledger, LATE)
        assert memory.objects == (whole if shown else {}), "nothing is left over, and nothing is lost"
        memory.objects = dict(whole)
        ledger.client.flushdb()
        assert recover(memory, ledger)
        if done:
            return


def test_a_run_that_is_needed_says_by_what(trash: DeletedRuns, memory: MemoryStore, roster: Roster) -> None:
    record, ledger = new_run("waits"), roster.ledger
    memory.put(keys.run("ada", "waits", "spec.json"), record.model_dump_json(by_alias=True).encode())
    roster.add(record.entry())
    with pytest.raises(Conflict, match="run waits has not ended; cancel it first, or wait for its end"):
        trash.delete(ledger, "ada", "waits")
    with pytest.raises(NotFound, match="there is no run 'waits'"):
        trash.delete(ledger, "bob", "waits")

    ended(memory, roster, model="shop@0123456789ab")
    config = f"{folder('shop', '0123456789ab', 'ada')}/config.json"
    memory.put(config, b"{}")
    with pytest.raises(Conflict, match="run r made shop@0123456789ab; delete that model first"):
        trash.delete(ledger, "ada", "r")
    memory.delete([config])
    trash.delete(ledger, "ada", "r", for_good=True)
    with pytest.raises(Conflict, match="run r is deleted for good"):
        trash.restore(ledger, "ada", "r")


def test_a_run_expires_when_its_time_is_over_and_its_model_is_deleted(
    trash: DeletedRuns, memory: MemoryStore, roster: Roster
) -> None:
    config = f"{folder('shop', '0123456789ab', 'ada')}/config.json"
    memory.put(config, b"{}")
    ended(memory, roster, model="shop@0123456789ab", keep="12h")
    for hours in (11, 13):
        trash.sweep(roster.ledger, MONDAY + timedelta(hours=hours))
        assert listed(roster) == [("r", "succeeded")], "it is kept, or its model is still there"
    memory.delete([config])
    trash.sweep(roster.ledger, MONDAY + timedelta(days=2))
    assert (listed(roster), list(trash.restorable("ada", now=MONDAY))) == ([], [])
    trash.sweep(roster.ledger, MONDAY + timedelta(days=2) + TRASH)
    assert memory.objects == {}
