"""Doorbells: Celery messages that say "there may be work".

A doorbell that cannot be sent is no failure: maintenance rings again.
"""

import logging
from typing import Literal

from kombu.exceptions import KombuError

from prodgen.ledger.entries import Queue
from workers.app import app

log = logging.getLogger("prodgen.worker")


def ring(queue: Queue | Literal["training"], times: int = 1) -> None:
    """Tell up to ``times`` workers of a queue that there may be work."""
    for _ in range(times):
        _send("train.claim" if queue == "training" else f"generate.{queue}")


def ring_settle() -> None:
    """Ask maintenance to settle the jobs whose images are all made, without waiting for its next tick."""
    _send("maintain.settle")


def ring_node(node: str, title: str) -> None:
    """Tell a training node that a run is assigned to it. Flower shows ``title`` as the task's name."""
    _send("train.part", queue=node_queue(node), shadow=title)


def node_queue(node: str) -> str:
    """Return the name of a node's own queue. A worker that restarts keeps its queue."""
    return f"training.{node.partition('~')[0]}"


def _send(task: str, **options: str) -> None:
    try:
        app.send_task(task, retry=False, expires=60, **options)
    except (KombuError, OSError) as error:
        log.warning("doorbell %s was not sent: %s", task, error)
