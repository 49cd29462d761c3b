"""A client of Redis for many simulated devices in one thread: `Ledger` uses it as any other client.

Each device runs in a greenlet of its own. While one waits for Redis or sleeps, the others run. The connection
is made by redis-py, and the commands are those of `Ledger`, packed by redis-py; only the answers are read
here, since redis-py takes several times as long for them.
"""

import select
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from socket import socket
from typing import Any

import redis
from greenlet import getcurrent, greenlet
from redis.exceptions import NoScriptError, ResponseError

_BYTES = 1 << 16


class Hub:
    """Runs greenlets: the one whose socket has an answer, or whose time has come."""

    def __init__(self) -> None:
        self._main, self._poll, self._turns = getcurrent(), select.epoll(), count()
        self._sleeping: list[tuple[float, int, greenlet]] = []
        self._waiting: dict[int, greenlet] = {}

    def add(self, descriptor: int) -> None:
        """Watch a socket from now on."""
        self._poll.register(descriptor, select.EPOLLIN)

    def spawn(self, work: Callable[[], object]) -> None:
        """Start ``work`` in a greenlet when `run` runs."""
        heappush(self._sleeping, (0.0, next(self._turns), greenlet(work)))

    def sleep(self, seconds: float) -> None:
        """Let the other greenlets run for at least ``seconds``."""
        heappush(self._sleeping, (time.time() + seconds, next(self._turns), getcurrent()))
        self._main.switch()

    def wait(self, descriptor: int) -> None:
        """Let the other greenlets run until the socket has an answer."""
        self._waiting[descriptor] = getcurrent()
        self._main.switch()

    def run(self) -> None:
        """Run until all greenlets have ended."""
        while self._sleeping or self._waiting:
            while self._sleeping and self._sleeping[0][0] <= time.time():
                heappop(self._sleeping)[2].switch()
            pause = max(0.0, self._sleeping[0][0] - time.time()) if self._sleeping else None
            for descriptor, _ in self._poll.poll(pause) if self._waiting or self._sleeping else ():
                self._waiting.pop(descriptor).switch()


class LeanRedis(redis.Redis):
    """A client with one connection. Use it only in greenlets of its hub, after `join`."""

    def join(self, hub: Hub) -> None:
        """Connect, and wait by ``hub`` from now on."""
        self._hub, self._connection = hub, self.connection_pool.get_connection()
        self._socket: socket = self._connection._sock  # type: ignore[assignment]
        self._buffer = b""
        hub.add(self._socket.fileno())

    def execute_command(self, *command: Any, **options: Any) -> Any:
        """Send a command, and return its answer as Redis sent it, with bytes for texts."""
        return self.send(command)[0]

    def transact(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send commands as one transaction, as a pipeline of redis-py does. Returns the answers of all."""
        return self.send(("MULTI",), *commands, ("EXEC",))

    def send(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send commands at once, and return their answers."""
        packed: list[bytes] = self._connection.pack_commands(commands)  # type: ignore[no-untyped-call]
        self._socket.sendall(b"".join(packed))
        return [self._answer() for _ in commands]

    def _answer(self) -> Any:
        """Return the next answer. Raises ResponseError if it is an error."""
        head = self._until_newline()
        kind, rest = head[:1], head[1:]
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._take(size + 2)[:-2]
        if kind in (b"*", b"~", b">"):
            return [self._answer() for _ in range(int(rest))] if rest != b"-1" else None
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise (NoScriptError if rest.startswith(b"NOSCRIPT") else ResponseError)(rest.decode())
        return None if kind == b"_" else rest

    def _until_newline(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._receive()
        return self._take(end + 2)[:-2]

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _receive(self) -> None:
        self._hub.wait(self._socket.fileno())
        if not (data := self._socket.recv(_BYTES)):
            raise redis.ConnectionError("Redis has closed the connection")
        self._buffer += data
