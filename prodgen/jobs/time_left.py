"""Estimate when an order ends, from its pace. Before the order has a pace, estimate as a quote does."""

from typing import NamedTuple

from prodgen.ledger.entries import TERMINAL, Progress
from prodgen.ledger.ledger import Ledger

NO_WORKER = "no worker is alive"
UNKNOWN_MODEL = "no worker has made images of this model yet"


class TimeLeft(NamedTuple):
    """The seconds until all images of an order are made; or None, and the reason why they are not known.

    Both fields are None for an order that has ended.
    """

    seconds_left: float | None = None
    reason: str | None = None


def time_left(ledger: Ledger, job: Progress) -> TimeLeft:
    """Return the time left of an order, from the images that were made of it in about the last minute.

    Before any are made, the estimate assumes that workers first make all images that wait in the job's queue.
    """
    images = job.total - job.done - job.failed
    if job.state in TERMINAL:
        return TimeLeft()
    if job.state == "paused":
        return TimeLeft(reason="the order is paused")
    if not images:
        return TimeLeft(0.0)
    rates = ledger.rates()
    if not rates.workers:
        return TimeLeft(reason=NO_WORKER)
    seconds, made = ledger.pace(job.id)
    if made:
        half_made = (images - job.owed) / 2  # on average, of the leases in flight
        return TimeLeft(round((images - half_made) * seconds / made, 1))
    if job.model not in rates.by_model:
        return TimeLeft(reason=UNKNOWN_MODEL)
    waiting = ledger.backlog(job.queue).models
    own = max(images, waiting.get(job.model, 0))  # images that are leased do not wait, but are not made yet
    wait = rates.wait({**waiting, job.model: own}.items())
    return TimeLeft(None if wait is None else round(wait, 1))
