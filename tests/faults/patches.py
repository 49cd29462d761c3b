"""Puts the project's own code on the virtual clock: time, threads, random names, and the size of a cell."""

import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, tzinfo
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Self
from unittest.mock import patch

from redis.lock import Lock

from prodgen import recovery, tenants
from prodgen.generation.request import Cancelled
from prodgen.jobs import control, deletion, submission, usage, webhooks
from prodgen.registry.versions import resolve
from prodgen.spec.order import CELL as REAL_CELL
from tests.faults.world import CELL, Process, current
from workers import maintain
from workers.generate import device, packages, tasks

DATED = (recovery, control, deletion, submission, usage, webhooks)
LEASE_IMAGES = 3 * CELL
"""The images that a worker leases at once."""
REAL = SimpleNamespace(
    time=time.time, monotonic=time.monotonic, sleep=time.sleep, token_hex=secrets.token_hex
)


def _clock() -> float:
    process = current()
    return REAL.time() if process is Process.NONE else process.world.now + process.skew


def _monotonic() -> float:
    process = current()
    return float(REAL.monotonic() if process is Process.NONE else process.world.now)


def _sleep(seconds: float) -> None:
    process = current()
    REAL.sleep(seconds) if process is Process.NONE else process.world.wait(seconds)


def _token_hex(size: int = 32) -> str:
    process = current()
    return str(
        REAL.token_hex(size) if process is Process.NONE else process.world.random.randbytes(size).hex()
    )


class VirtualDatetime(datetime):
    """A datetime whose ``now`` is the clock of the current process."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(_clock(), tz)


class _Event:
    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> bool:
        if not self._set:
            _sleep(seconds)
        return self._set


class _Thread:
    def __init__(self, target: Callable[..., object], args: tuple[Any, ...] = (), **_: Any) -> None:
        self._work = lambda: target(*args)

    def start(self) -> None:
        process = current()
        if process is not Process.NONE:
            process.spawn(self._work)


THREADING = SimpleNamespace(
    Thread=_Thread, Event=_Event, Semaphore=threading.Semaphore, Timer=None, Lock=threading.Lock
)


class Engine:
    """An engine whose images are their own formulas. Images of poisoned cells fail, or kill the worker."""

    def __init__(self, **_: Any) -> None:
        self.batches, self.batch_seconds = 0, 0.0

    def submit(self, request: Any) -> "Response":
        return Response(self, request)


class Response:
    """The files of a request, made in virtual time."""

    def __init__(self, engine: Engine, request: Any) -> None:
        self.request, self._engine = request, engine
        self.cancelled = self.complete = False

    def cancel(self) -> None:
        self.cancelled = True

    def __iter__(self) -> Iterator[bytes]:
        process = current()
        for image in self.request.images:
            process.world.wait(process.world.random.expovariate(1 / 0.2))
            if self.cancelled:
                raise Cancelled
            self._engine.batches += 1
            poison = process.world.poison.get((image.seed, image.index // CELL))
            if poison == "kill":
                process.world.kill(process)
                process.world.wait(0.0)
            if poison == "fail":
                raise ValueError("the image cannot be made")
            yield file_of(image.seed, image.index)
        self.complete = True


def file_of(seed: int, index: int) -> bytes:
    """Return the file of an image."""
    return f"image {index} of seed {seed}".encode()


class Models:
    """The models of a worker, which are all in its memory."""

    def __init__(self, store: Any, *_: Any) -> None:
        self._store = store

    def load(self, ref: str, tenant: str | None) -> Any:
        return resolve(self._store, ref, tenant)

    def find(self, ref: str) -> None:
        return None

    def recent(self) -> list[Any]:
        return [SimpleNamespace(rate=LEASE_IMAGES / device.LEASE_SECONDS)]


class Doorbell:
    """A task without Celery."""

    @contextmanager
    def working(self, title: str) -> Iterator[Any]:
        yield SimpleNamespace(succeeded=lambda summary: None, failed=lambda *why: None)


def _in_order(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    return iter([work(item) for item in items])


def _ring(queue: str, times: int = 1) -> None:
    current().world.ring(queue, times)


@lru_cache(1)
def _places(modules: int) -> list[tuple[Any, str, Any]]:
    """Return what is replaced: an object, the name of its attribute, and the new value.

    ``modules``: how many modules are loaded; while no more are, the list stays the same.
    """
    places: list[tuple[Any, str, Any]] = [
        (time, "time", _clock),
        (time, "monotonic", _monotonic),
        (time, "sleep", _sleep),
        (secrets, "token_hex", _token_hex),
        (recovery, "threading", THREADING),
        (device, "threading", THREADING),
        (device, "Engine", Engine),
        (device, "ModelCache", Models),
        (packages, "_uploaders", lambda: SimpleNamespace(map=lambda f, *rows: map(f, *rows))),
        (maintain, "threading", THREADING),
        (maintain, "ring", _ring),
        (maintain, "_deliver", lambda here: maintain._delivering.release()),  # no order has a webhook
        *(
            (Lock, name, None) for name in ("lua_release", "lua_extend", "lua_reacquire")
        ),  # of one client each
        (tasks, "ring", _ring),
        (tasks, "ring_settle", lambda: _ring("maintenance")),
        (tasks, "device", lambda: current().device),
    ]
    places += [(m, "datetime", VirtualDatetime) for m in DATED]
    for module in [*sys.modules.values()]:
        name = getattr(module, "__name__", "")
        if name.startswith(("prodgen", "workers")):
            if vars(module).get("CELL") == REAL_CELL:
                places.append((module, "CELL", CELL))
            if "in_threads" in vars(module):
                places.append((module, "in_threads", _in_order))
    return places


@contextmanager
def virtual() -> Iterator[None]:
    """Run the project's code in simulated processes until the end of the block."""
    tenants._cache.clear()
    with ExitStack() as patches:
        for place in _places(len(sys.modules)):
            patches.enter_context(patch.object(*place))
        yield
