"""Restores the ledger from the store after Redis was wiped or restarted.

``docs/explanation/ledger-and-store.md`` describes the protocol that makes this possible.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from prodgen.errors import NotFound, Unavailable
from prodgen.jobs.control import enter_job, restore_control
from prodgen.jobs.deletion import DeletedJobs
from prodgen.jobs.ending import sweep_leftovers
from prodgen.jobs.manifests import cells_of, choose, folder_of, publish, published, reported
from prodgen.jobs.record import RETRYABLE, UNCHANGED, find_record, load_control, load_record, load_state
from prodgen.ledger.entries import TERMINAL
from prodgen.ledger.ledger import RECOVERY_SECONDS, Ledger
from prodgen.ledger.roster import Roster
from prodgen.ledger.scripts import LedgerLost
from prodgen.runs.ending import restore_runs
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads, tenant_folders
from prodgen.tenants import grant_of

log = logging.getLogger(__name__)


_LOST = timedelta(hours=1)
"""The minimum age of a job's end that a restart of Redis cannot have lost: Redis may lose only new writes."""
Job = tuple[str, str]
"""The tenant and the id of a job."""


def ensure(store: Store, ledger: Ledger) -> bool:
    """Rebuild the ledger if it is lost. Returns whether this call rebuilt it. Call this every few seconds.

    If Redis has restarted and kept its data, restores the writes of the last second before, which Redis may
    have lost, and returns False. One process restores at a time; in other processes the call returns False
    at once.
    """
    if ledger.epoch() is None:
        return recover(store, ledger)
    if ledger.server_restarted():
        with _recovery(ledger) as recovery:
            if recovery:
                _for_each(tenant_folders(store, keys.jobs), lambda job: _restore_losses(store, ledger, *job))
                restore_runs(store, Roster(ledger))
                ledger.end_recovery(recovery)
    return False


def recover(store: Store, ledger: Ledger) -> bool:
    """Rebuild a lost ledger from the store, and return True.

    Returns False if the ledger is not lost, or if another process is rebuilding the ledger. Restores a job
    with a state.json as ended. For any other job, the images in published or reported manifests count as
    made, and all other images are owed. Sets the new epoch last: until then no worker gets a lease. Tokens of
    the lost ledger stay invalid.
    """
    with _recovery(ledger) as recovery:
        if recovery is None or ledger.epoch() is not None:
            return False
        ledger.clear(recovery)
        _for_each(tenant_folders(store, keys.jobs), lambda job: _restore(store, ledger, job, recovery))
        restore_runs(store, Roster(ledger), recovery)
        ledger.open(recovery)
    return True


@contextmanager
def _recovery(ledger: Ledger) -> Iterator[str | None]:
    """Hold the right to restore the ledger until the end of the block. Yields the right's name.

    Yields None if another process has the right. After an error in the block the right expires by itself.
    """
    recovery, ended = ledger.begin_recovery(), threading.Event()

    def renew() -> None:
        while recovery and not ended.wait(RECOVERY_SECONDS / 6):
            try:
                ledger.renew_recovery(recovery)
            except LedgerLost:  # the calls that restore are refused from now on, too
                return
            except Unavailable as error:
                log.warning("the right to restore the ledger was not renewed: %s", error)

    threading.Thread(target=renew, name="recovery", daemon=True).start()
    try:
        yield recovery
    finally:
        ended.set()


def _restore(store: Store, ledger: Ledger, job: Job, recovery: str) -> None:
    """Enter one job into the ledger as the store knows it. If the job has ended, also complete its end.

    Of a deleted job, only counts the images that its tenant has ordered today.
    """
    record = find_record(store, *job)
    if record is None:
        deletion = DeletedJobs(store).deleted(*job)
        if deletion:
            ledger.count_deleted(deletion.record.entry(), recovery)
        return
    state, control, done = load_state(store, record), UNCHANGED, set[int]()
    if state is None:
        control = load_control(store, record)
        manifests = choose(published(store, record)[0])
        honest = (one for one in reported(store, record) if one.folder == folder_of(one.key))
        for manifest in choose(honest, given=manifests):
            ledger.renew_recovery(recovery)
            if publish(store, record, manifest.first, manifest.key):
                manifests.append(manifest)
        done = cells_of(manifests)
    else:
        sweep_leftovers(store, record, state)
    ledger.restore(record.entry(grant_of(store, record.tenant).weight, control), done, (), state, recovery)


def _restore_losses(store: Store, ledger: Ledger, tenant: str, job: str) -> None:
    """Restore what Redis lost of one job when it restarted: the job, its end, its last change, or a retry."""
    known = ledger.progress(job)
    ended = known.state if known and known.state in TERMINAL else None
    if ended and ended not in RETRYABLE:
        return
    record = load_record(store, tenant, job)
    state = load_state(store, record)
    if ended and state:
        return
    if known is None and state and datetime.now(UTC) - state.finished > _LOST:
        return  # one of the old jobs that the ledger no longer keeps
    if state:
        sweep_leftovers(store, record, state)
    if state is None:
        enter_job(store, ledger, record)
        if known:
            restore_control(store, ledger, record, known)
    elif known:
        ledger.close(job, state)
    else:
        ledger.restore(record.entry(), (), (), state)


def _for_each(jobs: Iterable[Job], act: Callable[[Job], None]) -> None:
    """Call ``act`` with each job in a few threads. If a job cannot be read, log it and go on."""

    def try_to(job: Job) -> None:
        try:
            act(job)
        except NotFound:  # no job.json: the order was never acknowledged
            log.info("job %s of %s has no job.json", job[1], job[0])
        except ValueError:
            log.exception("job %s of %s is broken in the store and is not restored", job[1], job[0])

    for _ in in_threads(try_to, jobs):
        pass
