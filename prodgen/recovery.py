"""The protocol between the ledger and the store, and how a wiped ledger comes back.

The store is the truth that survives; Redis may be wiped, and any process killed, between any two steps.

1. An order is acknowledged when ``job.json`` is in the store and `Ledger.submit` has returned; to submit it
   again does no harm.
2. A worker writes a lease's images under the lease's token (``cells/{first}.{token}/…`` or ``….tar``), then
   the token's own manifest (``cells/{first}.{token}.jsonl``: a line an image, in index order, each naming its
   object by the full key), then asks `Ledger.complete`. True: its lease has won, and it publishes the same
   bytes as ``manifest/{first}.jsonl``. False: it leaves everything as it is (`prodgen.jobs.report`), because
3. once a token's manifest exists, a recovery may adopt it: its images are all there, and nobody can tell any
   more whose lease was counted. Before that, a worker whose lease is lost may delete its images.
4. When every cell is counted or set aside, or the job is cancelled, `finish` publishes what winners left
   unpublished, sees to it that the manifests hold each cell once (a missing cell is owed again), writes
   ``state.json``, sweeps what no manifest names, and settles the job. ``state.json`` never changes after.
5. `recover` runs when the epoch is gone. It restores every job of the store: as ended if there is
   ``state.json``, else with what is published, and what can be adopted, as done, and the rest owed. The epoch
   comes last, so that nothing runs against half a ledger; and no token from before is ever counted after.

A write to the store cannot be made to depend on the ledger, so each write that decides (a manifest,
``state.json``) comes right after a look at the epoch. What remains is a process that sleeps inside that one
write, across a wipe and a recovery which preferred another lease's manifest of the same cells.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from prodgen.errors import NotFound
from prodgen.jobs.ending import finish, settle_all
from prodgen.jobs.manifests import (
    Beat,
    choose,
    in_threads,
    load_record,
    load_state,
    publish,
    published,
    reported,
    spans,
)
from prodgen.ledger.entries import TERMINAL
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.roster import Roster
from prodgen.runs.ending import restore_runs
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.folders import folders

__all__ = ["ensure", "finish", "recover", "settle_all"]

log = logging.getLogger(__name__)

Weight = Callable[[str], float]
"""The weight of a tenant."""


def ensure(store: Store, ledger: Ledger, weight: Weight = lambda tenant: 1.0) -> bool:
    """Call it every few seconds: rebuild the ledger if it is lost; True if it was rebuilt now.

    After a restart of Redis that kept its data, look up what its last moments may have taken with them.
    """
    if ledger.epoch() is None:
        return recover(store, ledger, weight)
    if ledger.restarted():
        for tenant, job in _jobs(store):
            with _one_broken_file_aside(tenant, job):
                _remember(store, ledger, weight, tenant, job)
        restore_runs(store, Roster(ledger))
        ledger.checked()
    return False


def recover(store: Store, ledger: Ledger, weight: Weight = lambda tenant: 1.0) -> bool:
    """Rebuild a lost ledger from the store; False if it is not lost, or another process is at it."""
    recovery = ledger.begin()
    if recovery is None:
        return False
    ledger.clear(recovery)
    beat = _every(5, lambda: ledger.keep(recovery))

    def restore(job: tuple[str, str]) -> None:
        ledger.keep(recovery)
        with _one_broken_file_aside(*job):
            _restore(store, ledger, weight, *job, recovery, beat)

    for _ in in_threads(restore, _jobs(store)):
        pass
    restore_runs(store, Roster(ledger), recovery, beat)
    ledger.open(recovery)
    return True


def _restore(
    store: Store, ledger: Ledger, weight: Weight, tenant: str, job: str, recovery: str, beat: Beat
) -> None:
    record = load_record(store, tenant, job)
    state, done = load_state(store, record), set[int]()
    if state is None:
        runs = choose(published(store, record, beat)[0])
        for run in choose(reported(store, record, beat), given=runs):
            ledger.keep(recovery)
            if publish(store, record, run.first, run.manifest):
                runs.append(run)
        done = spans(runs)
    ledger.restore(record.entry(weight(tenant)), done, (), state, recovery)


def _remember(store: Store, ledger: Ledger, weight: Weight, tenant: str, job: str) -> None:
    """What a restarted ledger forgot of one job: the whole of it, or its end."""
    known = ledger.progress(job)
    if known and known.state in TERMINAL:
        return
    record = load_record(store, tenant, job)
    state = load_state(store, record)
    if known is None:
        done = spans(choose(published(store, record)[0])) if state is None else ()
        ledger.restore(record.entry(weight(tenant)), done, (), state)
    elif state:
        ledger.settle(job, state)


@contextmanager
def _one_broken_file_aside(tenant: str, job: str) -> Iterator[None]:
    """A job that cannot be read must not keep all the others away."""
    try:
        yield
    except NotFound:  # no job.json: it never was acknowledged
        log.info("job %s of %s has no job.json", job, tenant)
    except ValueError:
        log.exception("job %s of %s is broken in the store and is not restored", job, tenant)


def _jobs(store: Store) -> Iterator[tuple[str, str]]:
    """Tenant and id of every job in the store."""
    for tenant in folders(store, keys.TENANTS):
        for job in folders(store, keys.jobs(tenant)):
            yield tenant, job


def _every(seconds: float, act: Beat) -> Beat:
    """``act``, but not more often than that."""
    last = monotonic()

    def beat() -> None:
        nonlocal last
        if monotonic() - last > seconds:
            last = monotonic()
            act()

    return beat
