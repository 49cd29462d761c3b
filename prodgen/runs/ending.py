"""Write the ends of stopped runs to the store, and rebuild a lost roster from the store."""

import logging
from datetime import UTC, datetime

from prodgen.errors import NotFound, Unavailable
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import ENDED, STOP_COMMANDS, RunEnd, RunStatus
from prodgen.runs.files import (
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
from prodgen.storage.base import Store, in_threads, tenant_folders

log = logging.getLogger(__name__)


def settle_runs(store: Store, roster: Roster) -> list[RunStatus]:
    """Write the end of every stopped run to the store. Return the status of each run that was settled."""
    settled = []
    for run in roster.unsettled():
        try:
            status = settle(store, roster, run)
        except Unavailable:
            raise
        except Exception:  # a broken run must not keep the others from being settled
            log.exception("run %s cannot be settled", run)
            continue
        if status:
            settled.append(status)
    return settled


def settle(store: Store, roster: Roster, run: str) -> RunStatus | None:
    """Write the end of a stopped run to the store, and return the run's status.

    Writes nothing and returns None if the run has not stopped, or does not exist.
    """
    status = roster.status(run)
    record = status and find_record(store, status.tenant, run)
    if not status or not record or status.state in ("queued", "running"):
        return None
    known = load_end(store, record)
    if known and known.state in ENDED:  # an end in the store never changes, so the roster takes it over
        roster.close(run, known.state)
        return roster.status(run)
    end = {
        "state": status.state,
        "step": status.step,
        "restarts": status.restarts,
        "metrics": status.progress.get("metrics", {}),
        "error": status.error,
        "finished": datetime.fromtimestamp(status.updated, UTC),
    }
    write_end(store, record, RunEnd.model_validate(end))
    roster.close(run, status.state)
    now = roster.status(run)
    if now and now.state in ("queued", "running"):  # it was resumed in between
        delete_end(store, record)
    return now


def restore_runs(store: Store, roster: Roster, recovery: str = "") -> None:
    """Add every run in the store to the roster. Runs that the roster already has do not change.

    A run that was running is queued again; if it has a stop request, it stops with the requested state.
    Runs that are broken in the store are logged and skipped.
    """

    def restore(found: tuple[str, str]) -> None:
        tenant, run = found
        try:
            _restore(store, roster, tenant, run, recovery)
        except NotFound:  # no spec.json: the run was never acknowledged
            log.info("run %s of %s has no spec.json", run, tenant)
        except ValueError:
            log.exception("run %s of %s is broken in the store and is not restored", run, tenant)

    for _ in in_threads(restore, tenant_folders(store, keys.runs)):
        pass


def _restore(store: Store, roster: Roster, tenant: str, run: str, recovery: str) -> None:
    record = load_record(store, tenant, run)
    end = load_end(store, record)
    newest = None if end else newest_checkpoint(store, tenant, run)
    requested = None if end else load_stop_request(store, record)
    step, restarts = step_and_restarts(newest)
    if requested and (recovery or roster.status(run) is None):
        end = RunEnd(state=requested, step=step, restarts=restarts, finished=datetime.now(UTC))
        write_end(store, record, end)
    roster.add(record.entry(), end, step, restarts, recovery)
    if requested and not end:  # it is running, and a restarted Redis may have lost the command
        roster.command(run, STOP_COMMANDS[requested])
