"""Processes on one virtual clock, with a Redis and a store that fail. A seed decides all that happens.

The code of the project runs unchanged, each thread of a simulated process in a greenlet. Every call of Redis
or of the store lets the process run whose time comes next.
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any, Protocol, Self

import redis
from greenlet import GreenletExit, getcurrent, greenlet

from prodgen.errors import StoreUnavailable
from prodgen.ledger.ledger import Ledger
from prodgen.storage.base import ObjectInfo
from tests.ledger.memory import MemoryStore

START = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
CELL = 2
"""Images of a cell in a simulation, in place of 64: what the ledger decides is the same."""


@dataclass(frozen=True)
class Odds:
    """The probabilities of faults of one call, and the mean of its seconds.

    The call is not sent, its answer is lost, it is sent twice; it takes up to 45 seconds; its process dies
    before it, or is stopped before it for longer than a lease.
    """

    lost: float = 0.0
    cut: float = 0.0
    twice: float = 0.0
    slow: float = 0.0
    dies: float = 0.0
    stops: float = 0.0
    seconds: float = 0.005


class Commands(Protocol):
    """Takes the commands of all simulated processes: a real Redis, or one within this process."""

    def load(self, script: str) -> str: ...

    def send(self, clock: float, *command: Any, **options: Any) -> Any: ...


class Redis(redis.Redis):
    """The client of a simulated process: `Ledger` uses it as any other."""

    def __init__(self, server: Commands) -> None:
        super().__init__()
        self.server, self.process = server, Process.NONE

    def register_script(self, script: Any) -> Any:
        return partial(
            self._call_script, self.server.load(script.replace("local CELL = 64", f"local CELL = {CELL}"))
        )

    def _call_script(self, name: str, keys: Any = (), args: Any = (), client: Any = None) -> Any:
        return (client or self).execute_command("EVALSHA", name, len(keys), *keys, *args)

    def execute_command(self, *command: Any, **options: Any) -> Any:
        process, name = self.process, str(command[0])
        world = process.world
        fault = world.call(process, world.redis, f"{name} {command[1] if name != 'EVALSHA' else ''}")
        if fault == "lost":
            raise redis.ConnectionError("lost")
        if name == "INFO":
            return {"run_id": world.run_id}
        if name == "LLEN" and command[1] in world.bells:
            return world.bells[command[1]]
        if fault == "twice":
            self.server.send(world.now, *command, **options)
        answer = self.server.send(world.now, *command, **options)
        if fault == "cut":
            raise redis.TimeoutError("cut off")
        return answer


class Store(MemoryStore):
    """The store as one simulated process sees it. All views of it are equal, so they share caches."""

    def __init__(self, process: "Process") -> None:
        super().__init__()
        self.objects, self._process = process.world.objects, process
        self.before = self._fail

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store)

    def __hash__(self) -> int:
        return 1

    def _fail(self, method: str, key: str) -> None:
        if self._call(f"{method} {key}"):
            raise StoreUnavailable("503")

    def _call(self, what: str) -> str:
        return self._process.world.call(self._process, self._process.world.storage, what)

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        fault = self._call(f"put {key}")
        if fault == "lost":
            raise StoreUnavailable("lost")
        self.objects[key] = data
        self._process.world.written[key] = (self._process, self._process.world.now)
        if fault == "cut":
            raise StoreUnavailable("cut off")

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        return iter([*super().list(prefix, after)])

    def delete(self, keys: Iterable[str]) -> None:
        if not (names := sorted(keys)):
            return
        fault = self._call(f"delete {names}")
        if fault == "lost":
            raise StoreUnavailable("lost")
        for name in names[: len(names) // 2 if fault == "cut" else None]:
            self.objects.pop(name, None)
        if fault == "cut":
            raise StoreUnavailable("cut off")


class Process:
    """A process that can be killed (``kill -9``) and stopped for a while. Its clock differs by ``skew``."""

    NONE: "Process"

    def __init__(self, world: "World", name: str, skew: float = 0.0, ledger: Ledger | None = None) -> None:
        self.world, self.name, self.skew = world, name, skew
        self.alive, self.stopped = True, 0.0
        self.tasks: list[Any] = []
        self.store = Store(self)
        if ledger:
            self.ledger = ledger
            ledger.client.process = self  # type: ignore[attr-defined]

    def spawn(self, work: Callable[[], object]) -> Self:
        """Run ``work`` in a thread of the process."""
        task = greenlet(work, self.world.scheduler)
        task.process = self
        self.tasks.append(task)
        self.world.push(0.0, task)
        return self


class World:
    """All processes, the one clock, and the one source of chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now, self.run_id = START, "server-0"
        self.redis = self.storage = Odds()
        self.objects: dict[str, bytes] = {}
        self.written: dict[str, tuple[Process, float]] = {}
        self.bells = {"bulk": 0, "interactive": 0, "training": 0, "maintenance": 0}
        self.scheduler = getcurrent()
        self.trace: list[str] = []
        self._listening: dict[str, list[Any]] = {queue: [] for queue in self.bells}
        self._queue: list[tuple[float, int, Any]] = []
        self._turns = count()
        self._dying: list[Process] = []

    def push(self, seconds: float, task: Any) -> None:
        """Let a task continue after some seconds."""
        heappush(self._queue, (self.now + seconds, next(self._turns), task))

    def wait(self, seconds: float) -> None:
        """Let the current task continue after some seconds, and others meanwhile."""
        self.push(seconds, getcurrent())
        self._leave()

    def _leave(self) -> None:
        process = current()
        if process.alive:
            self.scheduler.switch()
        if not process.alive:
            raise GreenletExit

    def call(self, process: Process, odds: Odds, what: str) -> str:
        """Wait as long as a call takes. Returns its fault, or ''."""
        if current() is Process.NONE:  # a check, to which nothing happens
            return ""
        chance = self.random.random
        if chance() < odds.dies:
            self.kill(process)
        if chance() < odds.stops:
            process.stopped = self.now + self.random.uniform(31, 60)
        slow = chance() < odds.slow
        self.wait(self.random.expovariate(1 / odds.seconds) + slow * self.random.uniform(1, 45))
        self.trace.append(f"{self.now - START:.6f} {process.name} {what}")
        number = chance()
        if number < odds.lost:
            return "lost"
        if number < odds.lost + odds.cut:
            return "cut"
        return "twice" if number < odds.lost + odds.cut + odds.twice else ""

    def ring(self, queue: str, times: int = 1) -> None:
        """Ring a doorbell, which may be lost or doubled on its way."""
        for _ in range(times * self.random.choice((0, 1, 1, 1, 1, 1, 1, 2))):
            waiting = [task for task in self._listening[queue] if task.process.alive]
            if waiting:
                task = waiting[self.random.randrange(len(waiting))]
                for others in self._listening.values():
                    if task in others:
                        others.remove(task)
                task.heard = queue
                self.push(self.random.uniform(0, 0.1), task)
            else:
                self.bells[queue] += 1

    def hear(self, *queues: str) -> str:
        """Wait for a doorbell of one of some queues, and return the queue."""
        for queue in queues:
            if self.bells[queue]:
                self.bells[queue] -= 1
                self.wait(0.001)
                return queue
        task: Any = getcurrent()
        for queue in queues:
            self._listening[queue].append(task)
        self._leave()
        return str(task.heard)

    def kill(self, process: Process) -> None:
        """End a process before its next call."""
        process.alive = False
        self._dying.append(process)

    def run(self, until: Callable[[], bool], seconds: float) -> bool:
        """Run all processes until ``until()``, which is asked each second. Returns False if time runs out."""
        end, ask = self.now + seconds, self.now
        while self.now < end:
            if self.now >= ask:
                if until():
                    return True
                ask = self.now + 1
            at, _, task = heappop(self._queue)
            if not task.process.alive:
                continue
            if task.process.stopped > at:
                self.push(task.process.stopped - self.now, task)
                continue
            self.now = max(self.now, at)
            task.switch()
            self._bury()
        return False

    def _bury(self) -> None:
        """Unwind the tasks of killed processes. None of their calls has an effect any more."""
        while self._dying:
            for task in self._dying.pop().tasks:
                if task:
                    task.throw()

    def end(self, processes: Iterable[Process]) -> None:
        """Kill all processes."""
        for process in processes:
            self.kill(process)
        self._bury()

    @property
    def digest(self) -> str:
        """A digest of all calls, in their order, at their times."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:12]


def current() -> Process:
    """Return the process whose code runs now."""
    return getattr(getcurrent(), "process", Process.NONE)


Process.NONE = object.__new__(Process)
Process.NONE.alive, Process.NONE.name = True, "none"
