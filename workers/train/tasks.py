"""The tasks of a training worker, which has one child (``celery -A workers.app worker -Q training -c 1``)."""

from typing import Any

from celery.signals import celeryd_after_setup, worker_ready, worker_shutting_down

from prodgen.errors import Unavailable
from prodgen.ports import free_port
from prodgen.runs.attempt import Attempt
from workers.app import app, node_queue, ring, ring_node
from workers.train.node import name_node, training_node


@app.task(name="train.claim")
def claim() -> str:
    """Reserve nodes for the oldest run for which enough are idle. Sends each node the task ``train.part``."""
    here = training_node()
    if here.is_leaving():
        return "this worker is stopping"
    try:
        claimed = here.roster.claim(here.name, free_port(""))
    except Unavailable as error:
        return str(error)
    if claimed is None:
        return "nothing to do"
    assignment, members = claimed
    for member in members or [here.name]:
        ring_node(member, assignment.title)
    return f"{assignment.title}: {assignment.nodes} node{'s' * (assignment.nodes > 1)}"


@app.task(name="train.part")
def work() -> str:
    """Work on the run that this node was reserved for."""
    here = training_node()
    try:
        assignment = here.roster.heartbeat(here.name, here.address, here.devices)
    except Unavailable as error:
        return str(error)
    if assignment is None:
        return "nothing to do"
    attempt = Attempt(
        here.store, here.roster, assignment, here.name, here.address, here.folder, here.is_leaving
    )
    with here.working(assignment):
        said = attempt.work()
    ring("training")  # other runs may wait for this node
    return said


@celeryd_after_setup.connect
def open_direct_queue(sender: str, instance: Any, **_: Any) -> None:
    """Name the node, and make the worker consume the node's own queue."""
    instance.app.amqp.queues.select_add(node_queue(name_node(sender)))


@worker_ready.connect
def join(**_: Any) -> None:
    """Join the roster."""
    training_node().join()


@worker_shutting_down.connect
def leave(**_: Any) -> None:
    """Leave the roster. The child stops its run with a checkpoint and releases it."""
    training_node().leave()
