"""The tasks of a generating worker (``-Q interactive,bulk --pool threads``)."""

import threading
from typing import Any

from celery.signals import worker_ready, worker_shutting_down

from prodgen.errors import Unavailable
from prodgen.ledger.entries import Queue
from prodgen.registry.versions import versions
from workers import health
from workers.app import app, ring, ring_settle
from workers.doorbell import Doorbell
from workers.generate.device import Device, device, log
from workers.generate.leases import make, title
from workers.generate.metrics import export_device_memory
from workers.generate.models import RECENT, Name


@app.task(name="generate.bulk", bind=True)
def bulk(self: Doorbell) -> None:
    """Make one lease of a bulk job, unless this worker's slots for bulk jobs are taken."""
    _answer(self, "bulk")


@app.task(name="generate.interactive", bind=True)
def interactive(self: Doorbell) -> None:
    """Make one lease of an interactive job, unless this worker's slots for interactive jobs are taken."""
    _answer(self, "interactive")


def _answer(task: Doorbell, queue: Queue) -> None:
    """Make one lease and ring for the next. Does not ring while a service is away: maintenance will."""
    here = device()
    if here.draining.is_set():
        return
    try:
        with here.slot(queue) as free:
            lease = here.ledger.lease(queue, here.name, here.capacity()) if free else None
            if lease is None:
                return
            with here.slot(queue) as another:
                if queue == "bulk" and another and not lease.alone:
                    ring(queue)
            with task.working(title(lease)) as work:
                work.succeeded(make(here, lease))
        progress = here.ledger.progress(lease.job)
    except Unavailable as error:
        log.warning("%s", error)
        return
    if progress and progress.state == "finishing":
        ring_settle()
    ring(queue)  # after the slot is free, or this worker would be too busy to answer


@worker_ready.connect
def warm_up(**_: Any) -> None:
    """Load the shared models in production before the first order, then follow promotions."""
    here = device()
    export_device_memory()
    health.ALIVE.append(lambda: here.condition.problem)
    health.READY.append(lambda: "this worker is stopping" if here.draining.is_set() else None)
    try:
        ready = [version for version in versions(here.store, None) if "production" in version.aliases]
        for version in ready[:RECENT]:
            here.models.load(version.id, None)
    except Exception:  # a broken model fails its own orders, not the worker
        log.exception("the models in production were not loaded")
    threading.Thread(target=_follow_promotions, args=(here,), name="promotions", daemon=True).start()


def _follow_promotions(device: Device) -> None:
    """Load versions that become production, about every ten seconds, until the worker drains."""
    known: dict[Name, str] = {}
    while not device.draining.wait(2 * device.settings.tick_seconds):
        try:
            device.models.load_promoted(known)
        except Unavailable as error:
            log.warning("aliases were not read: %s", error)
        except Exception:  # this thread must survive a broken model
            log.exception("aliases were not read")


@worker_shutting_down.connect
def drain(**_: Any) -> None:
    """Lease nothing more while Celery waits for the tasks in flight, for ``stop_seconds`` at most."""
    device().drain()
