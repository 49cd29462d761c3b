"""Doorbells: "there may be work". One that does not sound is no failure: maintenance rings again."""

import logging
from typing import Literal

from kombu.exceptions import KombuError

from prodgen.ledger.entries import Queue
from workers.app import app

log = logging.getLogger("prodgen.worker")


def ring(queue: Queue | Literal["training"], times: int = 1) -> None:
    """Tell the queue's workers that there may be work for so many of them."""
    for _ in range(times):
        _send("train.claim" if queue == "training" else f"generate.{queue}")


def ring_settle() -> None:
    """A job is all made: bring it to its end now rather than at the next tick."""
    _send("maintain.settle")


def ring_node(node: str, title: str) -> None:
    """A training node has a part in a run, which Flower calls by its title."""
    _send("train.part", queue=node_queue(node), shadow=title)


def node_queue(node: str) -> str:
    """The queue of one node alone; a worker that is started again keeps it."""
    return f"training.{node.partition('~')[0]}"


def _send(task: str, **options: str) -> None:
    try:
        app.send_task(task, retry=False, expires=60, **options)
    except (KombuError, OSError) as error:
        log.warning("doorbell %s not rung: %s", task, error)
