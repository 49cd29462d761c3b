"""The tasks of a training worker: prefork, one child (``celery -A workers.app worker -Q training -c 1``)."""

import logging
from typing import Any

from celery.signals import celeryd_after_setup, worker_ready, worker_shutting_down

from prodgen.errors import Unavailable
from prodgen.ports import free_port
from prodgen.runs.attempt import Attempt
from workers.app import app
from workers.doorbells import node_queue, ring, ring_node
from workers.train.node import name_node, training_node

log = logging.getLogger("prodgen.training")


@app.task(name="train.claim")
def claim() -> str:
    """Reserve the nodes of the oldest run that can have them, and tell each, this one too, to do its part."""
    here = training_node()
    if here.is_leaving():
        return "this worker is going"
    try:
        claimed = here.roster.claim(here.name, free_port(""))
    except Unavailable as error:
        return str(error)
    if claimed is None:
        return "nothing to do"
    part, members = claimed
    for member in members or [here.name]:
        ring_node(member, part.title)
    return f"{part.title}: {part.nodes} node{'s' * (part.nodes > 1)}"


@app.task(name="train.part")
def take_part() -> str:
    """Do this node's part in the run that another node has reserved it for."""
    here = training_node()
    try:
        part = here.roster.heartbeat(here.name, here.address, here.devices)
    except Unavailable as error:
        return str(error)
    if part is None:
        return "nothing to do"
    attempt = Attempt(here.store, here.roster, part, here.name, here.address, here.folder, here.is_leaving)
    with here.working(part):
        said = attempt.work()
    ring("training")  # others may wait
    return said


@celeryd_after_setup.connect
def open_direct_queue(sender: str, instance: Any, **_: Any) -> None:
    """Name the node, and listen to its own queue."""
    instance.app.amqp.queues.select_add(node_queue(name_node(sender)))


@worker_ready.connect
def begin(**_: Any) -> None:
    """Let the others know that this node lives."""
    here = training_node()
    here.tidy()
    here.beat()
    if here.settings.ready_file:
        here.settings.ready_file.touch()


@worker_shutting_down.connect
def leave(**_: Any) -> None:
    """The child stops after the step, with a checkpoint, and hands its run back."""
    training_node().leave()
