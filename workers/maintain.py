"""The tasks of a maintenance worker (``-Q maintenance``).

They end expired leases, ring again, settle jobs and runs, send webhooks, sweep, and rebuild a lost ledger.
"""

import threading
from collections.abc import Iterator
from typing import get_args

from prometheus_client import Counter
from redis.exceptions import RedisError

from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs.audits import queue_audit
from prodgen.jobs.deletion import DeletedJobs
from prodgen.jobs.ending import finishing_by_size, settle_jobs
from prodgen.jobs.machines import apply_shut_out
from prodgen.jobs.quotas import measure_stored
from prodgen.jobs.record import JobRecord
from prodgen.jobs.renders import look_now, trim_renders
from prodgen.jobs.usage import record_renders
from prodgen.jobs.webhook_delivery import Outcome, Sender
from prodgen.ledger.entries import JobState, Queue
from prodgen.recovery import ensure
from prodgen.runs.deletion import DeletedRuns
from prodgen.runs.ending import settle_runs
from workers.app import app, log, ring
from workers.deployment import Deployment, deployment
from workers.doorbell import Doorbell

DOORBELLS = 4
"""How many doorbells a tick rings for a queue that has work but no doorbell waiting.

Each worker that finds work rings the next doorbell.
"""
GENERATING: tuple[Queue, ...] = ("interactive", "bulk")

_ticking, _delivering, _settling = threading.Lock(), threading.Lock(), threading.Lock()

webhooks = Counter(
    "prodgen_webhooks_total", "Attempts to deliver webhooks, by what became of them.", ["outcome"]
)
for outcome in get_args(Outcome):
    webhooks.labels(outcome)  # so that an alert on a rate sees the first one


@app.task(name="maintain.settle", bind=True)
def settle(self: Doorbell) -> None:
    """Settle the jobs whose images are all made. Flower shows what became of each small job."""
    here = deployment()
    try:
        settled = _settle(here)
    except Unavailable as error:
        log.warning("jobs are settled later: %s", error)
        return
    if settled:
        with self.working("settles jobs") as work:
            show = work.failed if any(end.state == "failed" for _, end in settled) else work.succeeded
            show(", ".join(f"job {job.id[:6]} {end.state}: {end.done} images" for job, end in settled))


@app.task(name="maintain.tick")
def tick() -> str:
    """Do the periodic maintenance. Returns a summary of what was done.

    Does nothing while the previous tick still runs.
    """
    if not _ticking.acquire(blocking=False):
        return "the previous tick is still running"
    try:
        return ", ".join(_tick(deployment())) or "nothing to do"
    except (Unavailable, RedisError) as error:
        log.warning("maintenance waits: %s", error)
        return f"not yet: {error}"
    finally:
        _ticking.release()


def _settle(here: Deployment) -> list[tuple[JobRecord, JobState]]:
    """Settle the jobs whose images are all made. Returns the small jobs that are settled now.

    A thread settles large jobs, so that no small job waits for them.
    """
    small, large = finishing_by_size(here.ledger)
    if large and _settling.acquire(blocking=False):
        threading.Thread(target=_settle_large, args=(here, large), name="settling", daemon=True).start()
    return _settle_now(here, small)


def _settle_large(here: Deployment, jobs: list[str]) -> None:
    try:
        _settle_now(here, jobs)
    except (ProdgenError, RedisError) as error:
        log.warning("large jobs are settled later: %s", error)
    finally:
        _settling.release()


def _settle_now(here: Deployment, jobs: list[str]) -> list[tuple[JobRecord, JobState]]:
    """Settle jobs, and queue the audits of their images. Returns each settled job with its end."""
    settled, share = settle_jobs(here.store, here.ledger, jobs), here.settings.audit_share
    queued = 0
    for record, state in settled if share else ():
        try:
            queued += queue_audit(here.store, here.ledger, record, state, share)
        except ProdgenError as error:
            log.warning("job %s is not audited: %s", record.id, error)
    if queued:
        ring("bulk")
    return settled


def _tick(here: Deployment) -> Iterator[str]:
    """Do one round of maintenance. Yields a line of text for each step that had something to do.

    The steps that may take long come last.
    """
    if ensure(here.store, here.ledger):
        yield "the ledger was rebuilt"
    apply_shut_out(here.store, here.ledger)
    if _delivering.acquire(blocking=False):  # receivers may be slow, and the ledger must not wait for them
        threading.Thread(target=_deliver, args=(here,), name="webhooks", daemon=True).start()
    if expired := here.ledger.expire():
        yield f"{len(expired)} leases expired"
    if late := here.ledger.pass_deadlines():
        yield f"{late} cells are past their deadline"
    for queue in GENERATING:
        waiting = here.ledger.backlog(queue).images or (queue == "bulk" and here.ledger.count_audits())
        if waiting and not here.ledger.client.llen(queue):
            ring(queue, DOORBELLS)
            yield f"{queue} doorbells rung again"
    if lost := here.roster.expire():
        yield f"{len(lost)} training nodes lost"
    if here.roster.backlog() and not here.ledger.client.llen("training"):
        ring("training")
        yield "training doorbell rung again"
    if stopped := settle_runs(here.store, here.roster):
        yield f"{len(stopped)} training runs settled"
    if settled := _settle(here):
        yield f"{len(settled)} jobs settled"
    measure_stored(here.store, here.ledger)
    record_renders(here.store, here.ledger)
    settings = here.settings
    look = look_now(settings.tick_seconds)
    if trimmed := trim_renders(here.store, settings.render_cache_mb << 20, settings.render_days, look):
        yield f"{trimmed} images by their addresses deleted"
    if looked := DeletedJobs(here.store).sweep(here.ledger):
        yield f"{looked} orders swept"
    if looked := DeletedRuns(here.store).sweep(here.ledger):
        yield f"{looked} deleted runs swept"


def _deliver(here: Deployment) -> None:
    """Send the webhooks whose time has come."""
    try:
        private = here.settings.webhook_private
        Sender(here.store, here.ledger, private, lambda one: webhooks.labels(one).inc()).send_due()
    except ProdgenError as error:
        log.warning("webhooks wait: %s", error)
    except Exception:
        log.exception("webhooks were not sent")
    finally:
        _delivering.release()
