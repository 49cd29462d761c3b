"""Doorbells: "there may be work". One that does not sound is no failure: maintenance rings again."""

import logging

from kombu.exceptions import KombuError

from prodgen.jobs.record import Queue
from workers.app import app

log = logging.getLogger("prodgen.worker")


def ring(queue: Queue, times: int = 1) -> None:
    """Tell the queue's workers that there may be work for so many of them."""
    for _ in range(times):
        _send(f"generate.{queue}")


def ring_settle() -> None:
    """A job is all made: bring it to its end now rather than at the next tick."""
    _send("maintain.settle")


def _send(task: str) -> None:
    try:
        app.send_task(task, retry=False, expires=60)
    except (KombuError, OSError) as error:
        log.warning("doorbell %s not rung: %s", task, error)
