"""The tasks of a generating worker (``-Q interactive,bulk --pool threads``)."""

import threading
from collections.abc import Callable
from itertools import cycle
from typing import Any

from celery.signals import worker_ready, worker_shutting_down

from prodgen.errors import Unavailable
from prodgen.jobs.audits import take_piece
from prodgen.ledger.entries import Queue
from prodgen.ledger.renders import Renders
from prodgen.registry.versions import versions
from workers import health
from workers.app import app, ring, ring_settle
from workers.doorbell import Doorbell
from workers.generate.audits import audit
from workers.generate.device import Device, device, log
from workers.generate.leases import make, title
from workers.generate.metrics import export_device_memory
from workers.generate.models import RECENT, Name
from workers.generate.renders import MOST, begin_renders, finish_renders

Kind = Callable[[Device, Doorbell, Queue], bool]
"""A function that does one piece of work. Returns False if there was no such work."""


@app.task(name="generate.bulk", bind=True)
def bulk(self: Doorbell) -> None:
    """Make one lease of a bulk job or one piece of an audit. Does nothing if no bulk slot is free.

    One call looks for a lease first, and the next call looks for an audit first.
    """
    _answer(self, "bulk", *next(_bulk_turns))


@app.task(name="generate.interactive", bind=True)
def interactive(self: Doorbell) -> None:
    """Make one lease of an interactive job, or images that clients request by their addresses.

    One call looks for a lease first, and the next call looks for such images first, so that neither kind of
    work delays the other for long.
    """
    _answer(self, "interactive", *next(_turns))


def _answer(task: Doorbell, queue: Queue, *kinds: Kind) -> None:
    """Do one piece of work of the first kind that has any, then ring for the next piece.

    Does not ring if there was no work or a service does not answer: maintenance rings later.
    """
    here = device()
    if here.draining.is_set():
        return
    try:
        with here.slot(queue) as free:
            if not free or not any(kind(here, task, queue) for kind in kinds):
                return
    except Unavailable as error:
        log.warning("%s", error)
        return
    ring(queue)  # after the slot is free, or this worker would be too busy to answer


def _make_lease(here: Device, task: Doorbell, queue: Queue) -> bool:
    """Take a lease and make its images. Returns False if there is no lease for this worker."""
    lease = here.ledger.lease(queue, here.name, here.capacity())
    if lease is None:
        return False
    with here.slot(queue) as another:
        if queue == "bulk" and another and not lease.alone:
            ring(queue)
    with task.working(title(lease)) as work:
        work.succeeded(make(here, lease))
    progress = here.ledger.progress(lease.job)
    if progress and progress.state == "finishing":
        ring_settle()
    return True


def _make_renders(here: Device, task: Doorbell, queue: Queue) -> bool:
    """Make images that clients request by their addresses. Returns False if no such image waits."""
    renders = Renders(here.ledger)
    if asked := renders.take(here.name, MOST):
        begun = begin_renders(here, asked)  # the device works while Flower is told
        with task.working(f"{len(asked)} images by their addresses") as work:
            work.succeeded(finish_renders(here, renders, begun))
    return bool(asked)


def _make_audit(here: Device, task: Doorbell, queue: Queue) -> bool:
    """Make images of another machine again, to audit that machine. Returns False if no audit waits."""
    if taken := take_piece(here.ledger, here.name):
        with task.working(f"audit of job {taken[0].job[:6]}") as work:
            work.succeeded(audit(here, *taken))
    return taken is not None


_turns = cycle([(_make_lease, _make_renders), (_make_renders, _make_lease)])
_bulk_turns = cycle([(_make_lease, _make_audit), (_make_audit, _make_lease)])


@worker_ready.connect
def warm_up(**_: Any) -> None:
    """Load the shared models in production before the first order, and add the worker's health checks.

    Then start a thread that loads each version that becomes production later.
    """
    here = device()
    export_device_memory()
    health.ALIVE.append(lambda: here.condition.problem)
    health.READY.append(lambda: "this worker is stopping" if here.draining.is_set() else None)
    health.READY.append(lambda: "an audit has shut this machine out" if here.shut_out else None)
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
    """Take no new leases while Celery waits for the tasks in flight, for at most ``stop_seconds``."""
    device().drain()
