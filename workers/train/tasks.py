"""The tasks of a training worker (``celery -A workers.app worker -Q training -c 1``)."""

from typing import Any

from celery.signals import celeryd_after_setup, worker_ready, worker_shutting_down

from prodgen import traces
from prodgen.errors import Unavailable
from prodgen.ports import free_port
from prodgen.runs.attempt import Attempt
from workers.app import app, node_queue, ring, ring_node
from workers.doorbell import Doorbell
from workers.train.node import log, name_node, training_node


@app.task(name="train.claim")
def claim() -> None:
    """Reserve nodes for the oldest run for which enough nodes are idle. Tells each node to begin."""
    here = training_node()
    if here.is_leaving():
        return
    try:
        claimed = here.roster.claim(here.name, free_port(""))
    except Unavailable as error:
        log.warning("no run was claimed: %s", error)
        return
    if claimed:
        assignment, members = claimed
        for member in members or [here.name]:
            ring_node(member, assignment.title)


@app.task(name="train.part", bind=True)
def work(self: Doorbell) -> None:
    """Work on the run of this node's assignment. Does nothing if the node has no assignment."""
    here = training_node()
    try:
        assignment = here.roster.heartbeat(here.name, here.address, here.devices)
    except Unavailable as error:
        log.warning("the assignment was not read: %s", error)
        return
    if assignment is None:
        return
    attempt = Attempt(
        here.store, here.roster, assignment, here.name, here.address, here.folder, here.is_leaving
    )
    with here.working(assignment), self.working(f"run {assignment.run[:6]}") as shown:
        summary = attempt.work()
        show = shown.failed if attempt.outcome in ("failed", "crashed") else shown.succeeded
        show(summary)
    traces.flush()  # a node that leaves is killed soon
    ring("training")  # other runs may wait for this node


@celeryd_after_setup.connect
def open_direct_queue(sender: str, instance: Any, **_: Any) -> None:
    """Name the node, and make the worker read its own queue, on which `ring_node` sends."""
    instance.app.amqp.queues.select_add(node_queue(name_node(sender)))


@worker_ready.connect
def join(**_: Any) -> None:
    """Make this worker's node join the roster."""
    training_node().join()


@worker_shutting_down.connect
def leave(**_: Any) -> None:
    """Make this worker's node leave the roster. The child writes a checkpoint and gives its run back."""
    training_node().leave()
