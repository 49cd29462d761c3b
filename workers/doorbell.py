"""The class of every task: a doorbell, which Flower shows only if it finds work."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import format_exc
from typing import Any

from celery import Task
from kombu.exceptions import KombuError
from redis.exceptions import RedisError


class Doorbell(Task):  # type: ignore[misc]  # celery has no types
    """A task that sends its own events to Flower, from the moment at which it finds work.

    Celery's own events show every message, and most messages find nothing to do.
    """

    send_events = False

    @contextmanager
    def working(self, title: str) -> Iterator["Work"]:
        """Show ``title`` in Flower until the end of the block, which calls one method of the work.

        An exception shows the task as failed.
        """
        work = Work(self, title)
        try:
            yield work
        except Exception as error:
            work.failed(str(error), format_exc())
            raise


class Work:
    """The work of one task, as Flower shows it."""

    def __init__(self, task: Doorbell, title: str) -> None:
        self._task, self._start = task, time.monotonic()
        self._send("task-received", name=task.request.shadow or task.name, result=title)
        self._send("task-started")

    def succeeded(self, summary: str) -> None:
        """Show the task as succeeded."""
        self._send("task-succeeded", result=summary, runtime=time.monotonic() - self._start)

    def failed(self, reason: str, traceback: str = "") -> None:
        """Show the task as failed."""
        seconds = time.monotonic() - self._start
        self._send("task-failed", result=reason, exception=reason, traceback=traceback, runtime=seconds)

    def _send(self, event: str, **fields: Any) -> None:
        with suppress(KombuError, RedisError, OSError):  # work does not wait for a broker that is away
            self._task.send_event(event, retry=False, **fields)
