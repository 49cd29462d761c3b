"""The Celery application: queues and settings.

Tasks are doorbells. They carry nothing, may be lost or repeated, and are acknowledged on receipt: what is to
be done, and whether it has been done, is the ledger's to say.
"""

import os
from importlib import import_module
from typing import Any

from celery import Celery
from celery.signals import celeryd_init

from prodgen.settings import settings

app = Celery("prodgen", broker=settings().redis_url.get_secret_value())
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
    task_track_started=True,
    worker_send_task_events=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"socket_keepalive": True, "socket_timeout": 30, "health_check_interval": 25},
    beat_schedule={
        "tick": {
            "task": "maintain.tick",
            "schedule": settings().tick_seconds,
            "options": {"expires": 2 * settings().tick_seconds},
        }
    },
    beat_max_loop_interval=settings().tick_seconds,
)


@celeryd_init.connect
def load_tasks(options: dict[str, Any] | None = None, **_: Any) -> None:
    """Only a worker loads the tasks; beat, Flower and the gateway know them by name.

    A training worker loads its own alone: its runs are other processes, and torch has no business in it. In
    the others, threads that wait for the next parallel step must not spin: encoders and uploads need the
    cores.
    """
    queues = (options or {}).get("queues") or ()
    if "training" in (queues.split(",") if isinstance(queues, str) else queues):
        import_module("workers.train.tasks")
        return
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import_module("workers.generate.tasks")
    import_module("workers.maintain")
