"""Process many pictures in parallel, in worker processes."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Thread
from typing import Any, TypeVar

import cv2

from prodgen.errors import Interrupted
from prodgen.library_warnings import redirect_warnings

Result = TypeVar("Result")
Report = Callable[[str, int, int], None]
"""Progress callback: (stage, pictures done, pictures in total)."""

MAX_INLINE = 32
"""Up to this many pictures are processed in the calling process, because workers would start slowly."""
_CHUNK = 8


def map_in_processes(
    work: Callable[..., Result], stage: str, report: Report, *columns: Sequence[Any]
) -> Iterator[Result]:
    """Call ``work`` in worker processes, each time with the next item of all ``columns``.

    Yields the results in order, and calls ``report`` with ``stage`` before the first result and with each.
    Raises Interrupted if a worker process is killed.
    """
    report(stage, 0, len(columns[0]))
    for done, result in enumerate(_results(work, columns), 1):
        report(stage, done, len(columns[0]))
        yield result


def _results(work: Callable[..., Result], columns: Sequence[Sequence[Any]]) -> Iterator[Result]:
    if len(columns[0]) <= MAX_INLINE:
        yield from map(work, *columns)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(cores, mp_context=context, initializer=_initialise)
    try:
        yield from pool.map(work, *columns, chunksize=_CHUNK)
    except BrokenProcessPool:
        raise Interrupted(
            "a process that worked on the pictures was killed, perhaps for lack of memory; start again"
        ) from None
    except BaseException:  # a pool that still works when its program ends can wait for itself for ever
        for process in multiprocessing.active_children():
            if process not in others:
                process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _initialise() -> None:
    redirect_warnings()
    cv2.setNumThreads(1)  # there is one process for each core already
    os.environ["OMP_NUM_THREADS"] = "1"  # and so for networks that rembg loads later
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, and the parent ends it
    Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    # A parent that is killed cannot stop its processes, which would wait for tasks for ever.
    multiprocessing.parent_process().join()
    os._exit(1)
