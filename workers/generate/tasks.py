"""The tasks that make images."""

import threading
from typing import Any

from celery.signals import worker_ready, worker_shutdown, worker_shutting_down

from prodgen.errors import Unavailable
from prodgen.ledger.entries import Queue
from prodgen.registry import versions
from workers.app import app
from workers.doorbells import ring, ring_settle
from workers.generate.device import log, station
from workers.generate.leases import work_off
from workers.generate.models import RECENT
from workers.generate.promotions import follow


@app.task(name="generate.bulk")
def bulk() -> str:
    """One lease of the fairest bulk job, unless this worker's slots are taken."""
    with station().bulk_slot() as free:
        return _answer("bulk") if free else "this worker is busy"


@app.task(name="generate.interactive")
def interactive() -> str:
    """One lease of an order that a person is waiting for."""
    return _answer("interactive")


def _answer(queue: Queue) -> str:
    """Work off one lease and ring for the next; while a service is away only maintenance rings."""
    here = station()
    if here.draining.is_set():
        return "this worker is going"
    try:
        lease = here.ledger.lease(queue, here.name, here.capacity())
        if lease is None:
            return "nothing to do"
        if queue == "bulk" and here.has_bulk_slot() and not lease.alone:
            ring(queue)
        said = work_off(here, lease)
        progress = here.ledger.progress(lease.job)
    except Unavailable as error:
        log.warning("%s", error)
        return str(error)
    if progress and progress.state == "finishing":
        ring_settle()
    ring(queue)
    return said


@worker_ready.connect
def warm_up(**_: Any) -> None:
    """Load and tune the shared models in production before the first order; from then on, follow aliases."""
    here = station()
    try:
        ready = [v for v in versions(here.store, None) if "production" in v.aliases]
        for version in ready[:RECENT]:
            here.model(version.ref, None)
    except Exception:  # what is wrong with a model is its orders' business
        log.exception("not warmed up")
    threading.Thread(target=follow, args=(here,), name="follow", daemon=True).start()
    if here.settings.ready_file:
        here.settings.ready_file.touch()


@worker_shutting_down.connect
def drain(**_: Any) -> None:
    """Let what is in flight end, and lease nothing more."""
    station().drain()


@worker_shutdown.connect
def leave(**_: Any) -> None:
    """Hand back what was not finished in time."""
    station().leave()
