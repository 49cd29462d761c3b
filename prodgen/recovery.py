"""Rebuilds the ledger from the store after Redis was wiped.

The protocol between the ledger and the store, which makes this possible, is described in
``docs/explanation/ledger-and-store.md``. In short: `recover` restores every job of the store (as ended if it
has a state.json, else with the manifests that are published or reported as done, and the rest owed) and every
training run. It sets the new epoch last, so that nothing runs against half a ledger and no token from before
counts.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from prodgen.errors import NotFound
from prodgen.jobs.manifests import Heartbeat, cells_of, choose, in_threads, publish, published, reported
from prodgen.jobs.record import load_record, load_state
from prodgen.ledger.entries import TERMINAL
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.roster import Roster
from prodgen.runs.ending import restore_runs
from prodgen.storage import keys
from prodgen.storage.base import Store, list_folders
from prodgen.tenants import tenant_weight

log = logging.getLogger(__name__)


def ensure(store: Store, ledger: Ledger) -> bool:
    """Rebuild the ledger if it is lost, and return whether this call rebuilt it. Call it every few seconds.

    If Redis restarted and kept its data, restore the writes that it may have lost in its last second.
    """
    if ledger.epoch() is None:
        return recover(store, ledger)
    if ledger.server_restarted():
        for tenant, job in _jobs(store):
            with _log_broken_job(tenant, job):
                _restore_losses(store, ledger, tenant, job)
        restore_runs(store, Roster(ledger))
        ledger.note_server()
    return False


def recover(store: Store, ledger: Ledger) -> bool:
    """Rebuild a lost ledger from the store. Returns False if it is open, or another process rebuilds it."""
    recovery = ledger.begin_recovery()
    if recovery is None:
        return False
    ledger.clear(recovery)
    beat = _at_most_every(5, lambda: ledger.renew_recovery(recovery))

    def restore(job: tuple[str, str]) -> None:
        ledger.renew_recovery(recovery)
        with _log_broken_job(*job):
            _restore(store, ledger, *job, recovery, beat)

    for _ in in_threads(restore, _jobs(store)):
        pass
    restore_runs(store, Roster(ledger), recovery, beat)
    ledger.open(recovery)
    return True


def _restore(store: Store, ledger: Ledger, tenant: str, job: str, recovery: str, beat: Heartbeat) -> None:
    """Enter one job into the ledger as the store knows it."""
    record = load_record(store, tenant, job)
    state, done = load_state(store, record), set[int]()
    if state is None:
        manifests = choose(published(store, record, beat)[0])
        for manifest in choose(reported(store, record, beat), given=manifests):
            ledger.renew_recovery(recovery)
            if publish(store, record, manifest.first, manifest.key):
                manifests.append(manifest)
        done = cells_of(manifests)
    ledger.restore(record.entry(tenant_weight(store, tenant)), done, (), state, recovery)


def _restore_losses(store: Store, ledger: Ledger, tenant: str, job: str) -> None:
    """Restore what a restarted Redis lost of one job: the whole job, or its end."""
    known = ledger.progress(job)
    if known and known.state in TERMINAL:
        return
    record = load_record(store, tenant, job)
    state = load_state(store, record)
    if known is None:
        done = cells_of(choose(published(store, record)[0])) if state is None else ()
        ledger.restore(record.entry(tenant_weight(store, tenant)), done, (), state)
    elif state:
        ledger.close(job, state)


@contextmanager
def _log_broken_job(tenant: str, job: str) -> Iterator[None]:
    """Log a job that cannot be read, so that it does not keep all other jobs from being restored."""
    try:
        yield
    except NotFound:  # no job.json: the order was never acknowledged
        log.info("job %s of %s has no job.json", job, tenant)
    except ValueError:
        log.exception("job %s of %s is broken in the store and is not restored", job, tenant)


def _jobs(store: Store) -> Iterator[tuple[str, str]]:
    """Yield the tenant and the id of every job in the store."""
    for tenant in list_folders(store, keys.TENANTS):
        for job in list_folders(store, keys.jobs(tenant)):
            yield tenant, job


def _at_most_every(seconds: float, act: Heartbeat) -> Heartbeat:
    """Return a function that calls ``act``, at most once in ``seconds`` seconds."""
    last = monotonic()

    def beat() -> None:
        nonlocal last
        if monotonic() - last > seconds:
            last = monotonic()
            act()

    return beat
