"""The class of every task: a doorbell. Flower shows a doorbell only if it finds work."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import format_exc
from typing import Any

from celery import Task
from kombu.exceptions import KombuError
from redis.exceptions import RedisError


class Doorbell(Task):  # type: ignore[misc]  # celery has no types
    """A task that sends events to Flower only after it has found work.

    Celery's own events are off, because they would show every message, and most messages find no work.
    """

    send_events = False

    @contextmanager
    def working(self, title: str) -> Iterator["Work"]:
        """Show the task in Flower as started, under ``title``. Yields its `Work`.

        The block calls `Work.succeeded` or `Work.failed`. If the block raises, Flower shows the task as
        failed, and the exception is raised again.
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
        """Show the task in Flower as succeeded, with ``summary`` as its result."""
        self._send("task-succeeded", result=summary, runtime=time.monotonic() - self._start)

    def failed(self, reason: str, traceback: str = "") -> None:
        """Show the task in Flower as failed, with ``reason`` as its result."""
        seconds = time.monotonic() - self._start
        self._send("task-failed", result=reason, exception=reason, traceback=traceback, runtime=seconds)

    def _send(self, event: str, **fields: Any) -> None:
        with suppress(KombuError, RedisError, OSError):  # work does not wait for a broker that is away
            self._task.send_event(event, retry=False, **fields)
