"""The orders of a simulation, and the gateway that accepts them."""

from dataclasses import dataclass
from typing import Any

from prodgen.errors import Conflict, NotFound, TooManyRequests, Unavailable
from prodgen.jobs.control import change_job, retry_job
from prodgen.jobs.ending import settle_job
from prodgen.jobs.record import JobRecord
from prodgen.jobs.submission import submit
from prodgen.spec.order import JobSpec
from tests.faults.checks import TENANTS
from tests.faults.world import CELL, Process, World


@dataclass
class Order:
    """An order of a simulation: what is sent, when, and what its tenant does afterwards (seconds, action)."""

    tenant: str
    key: str
    spec: JobSpec
    at: float
    actions: list[tuple[float, str]]
    record: JobRecord | None = None


def random_order(world: World, number: int) -> Order:
    """Return an order with the seed ``number``. One of its cells may be poisoned."""
    pick = world.random
    count = pick.choice((1, 3, 7, 16, 60))
    priority = "interactive" if count < 8 and pick.random() < 0.4 else "bulk"
    packaging = pick.choice(("files", "tar", "webdataset"))
    spec = JobSpec.model_validate(
        {
            "model": "model",
            "count": count,
            "seed": number,
            "attributes": {"category": "bag"},
            "priority": priority,
            "output": {"packaging": packaging},
        }
    )
    if pick.random() < 0.2:
        world.poison[number, pick.randrange(-(-count // CELL))] = pick.choice(("fail", "fail", "kill"))
    plans: list[list[tuple[float, str]]] = [
        [(pick.uniform(0, 30), "cancel")],
        [(pick.uniform(0, 20), "pause"), (pick.uniform(0, 60), "resume")],
        [(pick.uniform(0, 20), "bulk"), (pick.uniform(0, 60), "cancel")],
        [(pick.uniform(30, 60), "retry"), (pick.uniform(30, 60), "retry")],
    ]
    actions = pick.choice([[], [], *plans])
    return Order(pick.choice(TENANTS), f"order-{number}", spec, pick.uniform(0, 25), actions)


def serve(process: Process, order: Order) -> None:
    """Send an order until it is accepted, and do afterwards what its tenant does."""
    world, here = process.world, process.here
    if not order.record:
        world.wait(order.at)
    while not order.record:
        try:
            order.record, _ = submit(
                here.store, here.ledger, here.settings, order.tenant, order.spec, order.key
            )
            world.ring(order.spec.priority)
        except (Unavailable, TooManyRequests):
            world.wait(3.0)
    while order.actions:
        seconds, action = order.actions[0]
        world.wait(seconds)
        try:
            _act(here, order.record, action)
        except (Conflict, NotFound, TooManyRequests):
            pass
        except Unavailable:
            continue
        order.actions.pop(0)
        world.ring("bulk")


def _act(here: Any, record: JobRecord, action: str) -> None:
    if action == "cancel":
        here.ledger.check_complete()
        if here.ledger.cancel(record.id) == "cancelled":
            settle_job(here.store, here.ledger, record)
    elif action == "retry":
        retry_job(here.store, here.ledger, here.settings, record.tenant, record.id)
    else:
        change: Any = {"priority": "bulk"} if action == "bulk" else {"paused": action == "pause"}
        change_job(here.store, here.ledger, here.settings, record.tenant, record.id, **change)
