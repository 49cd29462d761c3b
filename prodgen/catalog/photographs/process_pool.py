"""Process many pictures in parallel, in processes of their own."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from threading import Thread
from typing import TypeVar

import cv2

from prodgen.errors import Interrupted

Task = TypeVar("Task")
Result = TypeVar("Result")
Report = Callable[[str, int, int], None]
"""Progress callback: (stage, tasks done, tasks in total)."""

MAX_INLINE = 32
"""Up to this many tasks run in the calling process, faster than other processes would start."""
_CHUNK = 8


def map_in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], stage: str, report: Report
) -> Iterator[Result]:
    """Yield ``work(task)`` for every task in order, and report each as progress of ``stage``.

    Raises Interrupted if a process dies, for instance for lack of memory.
    """
    for done, result in enumerate(_results(work, tasks), 1):
        report(stage, done, len(tasks))
        yield result


def _results(work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
    if len(tasks) <= MAX_INLINE:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    pool = ProcessPoolExecutor(_cores(), mp_context=context, initializer=_initialise)
    try:
        yield from pool.map(work, tasks, chunksize=_CHUNK)
    except BrokenProcessPool:
        raise Interrupted(
            "a process that worked on the pictures was killed, perhaps for lack of memory; start again"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _initialise() -> None:
    cv2.setNumThreads(1)  # there is one process for each core already
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, and the parent ends it
    Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    # A parent that is killed cannot stop its processes, which would wait for tasks for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
