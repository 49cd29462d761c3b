"""Plain Celery: one task makes some images and writes them as files; one process a core."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import worker_process_init
from served import Generator

app = Celery("served", broker=os.environ["SERVED_BROKER"], backend=os.environ["SERVED_BROKER"])
app.conf.update(worker_prefetch_multiplier=1, task_ignore_result=False)
generators: list[Generator] = []


@worker_process_init.connect
def load(**_: object) -> None:
    """Load the generator into each process of the pool."""
    generators.append(Generator())


@app.task(name="served.make")
def make(first: int, count: int) -> int:
    """Make ``count`` images from the index ``first``."""
    for index, data in enumerate(generators[0](range(first, first + count)), first):
        (Path(os.environ["SERVED_OUT"]) / f"{index:09d}.png").write_bytes(data)
    return count
