"""The Celery application: its queues, its settings, and the tasks that each role of worker loads.

A task is a doorbell: "there may be work". It carries no data, may be lost or delivered twice, and is
acknowledged on receipt. The ledger decides which work to do, and records the work that is done. If a doorbell
cannot be sent, nothing is lost: maintenance rings again.
"""

import logging
import os
from typing import Any, Literal

from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_ready
from kombu.exceptions import KombuError

from prodgen import logs, traces
from prodgen.ledger.entries import Queue
from prodgen.settings import settings
from workers import health
from workers.doorbell import Doorbell

log = logging.getLogger("prodgen.worker")

TASKS = {
    "interactive": "workers.generate.tasks",
    "bulk": "workers.generate.tasks",
    "training": "workers.train.tasks",
    "maintenance": "workers.maintain",
}
"""For each queue, the module of tasks that its workers load."""

app = Celery("prodgen", task_cls=Doorbell, broker=settings().redis_url.get_secret_value())
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    task_default_queue="bulk",
    task_routes={
        "generate.interactive": {"queue": "interactive"},
        "generate.bulk": {"queue": "bulk"},
        "train.*": {"queue": "training"},
        "maintain.*": {"queue": "maintenance"},
    },
    task_ignore_result=True,
    worker_send_task_events=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # A network may drop a connection and tell nobody. A doorbell then delays an order for `socket_timeout`,
    # and a worker hears doorbells again after about twice `health_check_interval`.
    broker_transport_options={"socket_keepalive": True, "socket_timeout": 5, "health_check_interval": 10},
    beat_schedule={
        "tick": {
            "task": "maintain.tick",
            "schedule": settings().tick_seconds,
            "options": {"expires": 2 * settings().tick_seconds},
        }
    },
    beat_scheduler="workers.beat:FreshScheduler",
    beat_max_loop_interval=settings().tick_seconds,
)


def ring(queue: Queue | Literal["training"], times: int = 1) -> None:
    """Send ``times`` doorbells to the workers of a queue: there may be work."""
    for _ in range(times):
        _send("train.claim" if queue == "training" else f"generate.{queue}")


def ring_settle() -> None:
    """Ask maintenance to settle, before its next tick, the jobs whose images are all made."""
    _send("maintain.settle")


def ring_node(node: str, title: str) -> None:
    """Tell a training node that it has an assignment. Flower shows ``title`` as the task's name."""
    _send("train.part", queue=node_queue(node), shadow=title)


def node_queue(node: str) -> str:
    """Return the name of the queue of one node. After a restart of its worker the name is the same."""
    return f"training.{node.partition('~')[0]}"


def _send(task: str, **options: str) -> None:
    try:
        app.send_task(task, retry=False, expires=60, **options)
    except (KombuError, OSError) as error:
        log.warning("doorbell %s was not sent: %s", task, error)


def _starting() -> str:
    return "the worker is starting"


@setup_logging.connect
def configure_logs(loglevel: int | str = logging.INFO, **_: Any) -> None:
    """Set up prodgen's logs (instead of Celery's logs) and prodgen's traces."""
    level = logging.getLevelName(loglevel) if isinstance(loglevel, str) else loglevel
    role = app.conf.get("role", "beat")
    logs.configure(role, level)
    traces.configure(role)


@celeryd_init.connect
def load_tasks(options: dict[str, Any] | None = None, **_: Any) -> None:
    """Load only the tasks of the worker's queues, so that only a worker that generates imports torch.

    Beat, Flower and the gateway load no tasks: they use the names of tasks. Also starts the health server.
    """
    from celery.worker.consumer.gossip import Gossip

    queues = (options or {}).get("queues") or ()
    names = queues.split(",") if isinstance(queues, str) else [*queues]
    app.conf.role = "+".join(dict.fromkeys(TASKS[name].split(".")[1] for name in names if name in TASKS))
    if {"interactive", "bulk"} & {*names}:
        # Threads of torch that wait for work must not spin: encoders and uploads need the cores.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Prodgen does not use gossip among workers. In celery 5.7, it raises AttributeError when it closes its
    # channel after the broker has died.
    Gossip.compatible_transports = frozenset()
    for module in dict.fromkeys(TASKS[name] for name in names if name in TASKS):
        app.loader.import_task_module(module)
    health.READY.append(_starting)
    if (port := settings().health_port) is not None:
        health.serve(settings().health_host, port)
    worker_ready.connect(mark_ready)  # after what the roles have connected, such as the loading of models


def mark_ready(**_: Any) -> None:
    """Make health checks answer that the worker is ready, and create the ready file."""
    health.READY.remove(_starting)
    if path := settings().ready_file:
        path.touch()
