"""Work on many pictures at once, in processes of their own, in the order in which it was given."""

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

FEW = 32
"""Tasks that are done here, before a process of its own has even started."""
_CHUNK = 8


def spread(work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
    """``work`` done on every task; its results in the order of the tasks.

    Processes are started afresh, not forked: a fork of a process that has threads may hang. Raises
    Interrupted if one of them dies, for instance of too little memory.
    """
    if len(tasks) <= FEW:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(cores(), mp_context=context, initializer=_begin)
    try:
        yield from pool.map(work, tasks, chunksize=_CHUNK)
    except BrokenProcessPool:
        raise Interrupted(
            "a process that worked on the pictures was killed, perhaps for want of memory; start again"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin() -> None:
    cv2.setNumThreads(1)  # there is a process for each core already
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent ends it
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot tell its processes to end; they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
