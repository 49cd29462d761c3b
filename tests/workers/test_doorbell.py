"""Flower sees a task that found work, with the reason if the work failed."""

import threading
from typing import TYPE_CHECKING

from celery import Celery

from workers.doorbell import Doorbell

if TYPE_CHECKING:
    from tests.servers.valkey import ValkeyServer


def test_a_failure_is_shown_with_its_reason(quick_valkey: "ValkeyServer") -> None:
    app = Celery("test", task_cls=Doorbell, broker=quick_valkey.url(8))

    @app.task(name="generate.bulk", bind=True, shared=False)  # no other app gets this task
    def fail(self: Doorbell) -> None:
        with self.working("job 3f2a91 cells 0-1"):
            raise RuntimeError("job 3f2a91 cells 0-1: the device is gone")

    state, seen = app.events.State(), threading.Event()

    def ring() -> None:
        while not seen.wait(0.1):  # who listens after an event was sent does not receive it
            fail.apply(task_id="one")

    thread = threading.Thread(target=ring)
    thread.start()
    try:
        with app.connection() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": state.event})
            while (task := state.tasks.get("one")) is None or not (task.name and task.failed):
                receiver.capture(limit=1, timeout=60, wakeup=False)
    finally:
        seen.set()
        thread.join()
    assert (task.name, task.state) == ("generate.bulk", "FAILURE")
    assert task.result == task.exception == "job 3f2a91 cells 0-1: the device is gone"
    assert "in fail" in task.traceback
    assert task.runtime >= 0
