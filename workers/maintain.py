"""The maintenance beat: lost workers, lost doorbells, jobs to settle, a lost ledger."""

import threading
from collections.abc import Iterator

from redis.exceptions import RedisError

from prodgen.errors import Unavailable
from prodgen.jobs.ending import settle_all
from prodgen.ledger.entries import Queue
from prodgen.ledger.roster import Roster
from prodgen.recovery import ensure
from prodgen.runs.ending import settle_runs
from workers.app import app
from workers.doorbells import ring
from workers.generate.device import Station, log, station

WAITING_BELLS = 4
"""Doorbells rung again where none is left; every worker that hears one and has room rings another."""

GENERATING: tuple[Queue, ...] = ("interactive", "bulk")


_ticking = threading.Lock()


@app.task(name="maintain.settle")
def settle() -> str:
    """Bring jobs that are all made to their end in the store."""
    try:
        ended = settle_all(station().store, station().ledger)
    except Unavailable as error:
        return f"not yet: {error}"
    return ", ".join(f"job {r.id[:6]} {s.state}: {s.done} images" for r, s in ended) or "nothing to settle"


@app.task(name="maintain.tick", send_events=False)  # Flower would show nothing else
def tick() -> str:
    """Whatever is owed to time. A long one, such as a recovery, is not joined by the next."""
    if not _ticking.acquire(blocking=False):
        return "the last tick is still at work"
    try:
        return ", ".join(_tick(station())) or "all is well"
    except (Unavailable, RedisError) as error:
        log.warning("maintenance waits: %s", error)
        return f"not yet: {error}"
    finally:
        _ticking.release()


def _tick(here: Station) -> Iterator[str]:
    """Each step, said when it had something to do; the longest comes last."""
    if ensure(here.store, here.ledger):
        yield "the ledger was rebuilt"
    if expired := here.ledger.expire():
        yield f"{len(expired)} leases expired"
    for queue in GENERATING:
        if here.ledger.backlog(queue).images and not here.ledger.client.llen(queue):
            ring(queue, WAITING_BELLS)
            yield f"{queue} doorbells rung again"
    roster = Roster(here.ledger)
    if lost := roster.expire():
        yield f"{len(lost)} training nodes lost"
    if roster.wanting() and not here.ledger.client.llen("training"):
        ring("training")
        yield "training doorbell rung again"
    if stopped := settle_runs(here.store, roster):
        yield f"{len(stopped)} training runs settled"
    if ended := settle_all(here.store, here.ledger):
        yield f"{len(ended)} jobs settled"
