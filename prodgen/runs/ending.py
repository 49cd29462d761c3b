"""Runs that do not go on, made known to the store; and the roster rebuilt from it when Redis has lost it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from prodgen.errors import NotFound, Unavailable
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import ENDED, STOP_COMMANDS, RunEnd, RunStatus, StoppedState
from prodgen.runs.files import (
    Checkpoint,
    delete_end,
    find_record,
    load_end,
    load_record,
    load_stop_request,
    newest_checkpoint,
    step_and_restarts,
    write_end,
)
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.folders import folders

log = logging.getLogger(__name__)


def settle_runs(store: Store, roster: Roster) -> list[RunStatus]:
    """Write the state of every run that stopped; those that were written now."""
    settled = []
    for run in roster.unsettled():
        try:
            status = settle(store, roster, run)
        except Unavailable:
            raise
        except Exception:  # one that is broken must not keep the others from their end
            log.exception("run %s cannot be settled", run)
            continue
        if status:
            settled.append(status)
    return settled


def settle(store: Store, roster: Roster, run: str) -> RunStatus | None:
    """Write the state of a run that stopped, unless the store knows it; None if it goes on after all."""
    status = roster.status(run)
    record = status and find_record(store, status.tenant, run)
    if not status or not record or status.state in ("queued", "running"):
        return None
    known = load_end(store, record)
    if known and known.state in ENDED:  # the store came first, and what has ended never changes
        roster.close(run, known.state)
        return roster.status(run)
    write_end(store, record, end_of(status))
    roster.close(run, status.state)
    now = roster.status(run)
    if now and now.state in ("queued", "running"):  # it was resumed meanwhile
        delete_end(store, record)
    return now


def end_of(status: RunStatus) -> RunEnd:
    """state.json of a run that stopped; ``finished`` is when the roster saw it."""
    return RunEnd.model_validate(
        {
            "state": status.state,
            "step": status.step,
            "restarts": status.restarts,
            "metrics": status.progress.get("metrics", {}),
            "error": status.error,
            "finished": datetime.fromtimestamp(status.updated, UTC),
        }
    )


def _stopped(state: StoppedState, newest: Checkpoint | None) -> RunEnd:
    """state.json of a run that was at work, and to stop, when the roster was lost."""
    step, restarts = step_and_restarts(newest)
    return RunEnd(state=state, step=step, restarts=restarts, finished=datetime.now(UTC))


def restore_runs(
    store: Store, roster: Roster, recovery: str = "", beat: Callable[[], None] = lambda: None
) -> None:
    """Enter every run of the store as it stands there; one at work is queued, unless it was to stop."""
    for tenant in folders(store, keys.TENANTS):
        for run in folders(store, keys.runs(tenant)):
            beat()
            try:
                record = load_record(store, tenant, run)
                end = load_end(store, record)
                newest = None if end else newest_checkpoint(store, tenant, run)
                wished = None if end else load_stop_request(store, record)
                if wished and (recovery or roster.status(run) is None):
                    end = _stopped(wished, newest)
                    write_end(store, record, end)
                roster.add(record.entry(), end, *step_and_restarts(newest), recovery)
                if wished and not end:  # it goes on, and may not have heard
                    roster.command(run, STOP_COMMANDS[wished])
            except NotFound:  # no spec.json: it was never acknowledged
                log.info("run %s of %s has no spec.json", run, tenant)
            except ValueError:
                log.exception("run %s of %s is broken in the store and is not restored", run, tenant)
