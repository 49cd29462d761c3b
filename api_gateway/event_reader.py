"""Read the ledger once for all event streams of this process, and wake each stream that has new events."""

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from api_gateway.changes import Changes
from prodgen.access import KeyRing
from prodgen.errors import Unavailable
from prodgen.ledger.ledger import Ledger

log = logging.getLogger("prodgen.gateway")

QUICK, SLOW = 0.02, 0.25
"""Seconds between two reads of the ledger: the shortest pause, and the longest while nothing changes."""


class Watch:
    """Wakes one stream at a new event under ``name``, or when its API key is revoked."""

    def __init__(self, name: str, digest: str, reader: "EventReader") -> None:
        self.name, self.digest, self._reader = name, digest, reader
        self._woken, self._waiting, self._has_turn = False, anyio.CancelScope(), False

    def wake(self) -> None:
        """Wake the stream: it reads now, or the next time that it calls `wait`."""
        self._woken = True
        self._waiting.cancel()

    async def wait(self, last: str, shutdown: anyio.Event, seconds: float) -> None:
        """Wait until the stream should read the events after ``last``, or until the gateway shuts down.

        Call `wait` only after a read that found no event after ``last``; call `end_turn` after the next read.
        A stream that is not woken for ``seconds`` also reads, but only one such stream at a time. Otherwise
        hundreds of streams could read together and delay other requests.
        """
        self._reader.watch_after(self.name, last)
        with anyio.CancelScope() as self._waiting:
            if self._woken:
                self._waiting.cancel()
            with anyio.move_on_after(max(0.0, seconds)):
                await shutdown.wait()
            if not shutdown.is_set():
                await self._take_turn(shutdown)
        self._woken = False

    async def _take_turn(self, shutdown: anyio.Event) -> None:
        async with anyio.create_task_group() as group:

            async def stop_at_shutdown() -> None:
                await shutdown.wait()
                group.cancel_scope.cancel()

            group.start_soon(stop_at_shutdown)
            await self._reader.turn.acquire()
            self._has_turn = True
            group.cancel_scope.cancel()

    def end_turn(self) -> None:
        """Let the next waiting stream read. Does nothing if this stream has not waited for its turn."""
        if self._has_turn:
            self._has_turn = False
            self._reader.turn.release()


class EventReader:
    """Reads the ledger for all watches with one command. Its task runs only while there are watches.

    It reads when ``changes`` wakes it. Only code in the event loop may use the reader.
    """

    def __init__(self, ledger: Ledger, keys: KeyRing, changes: Changes) -> None:
        self._ledger, self._keys, self._changes = ledger, keys, changes
        self._thread = CapacityLimiter(1)  # of its own: it must not wait for the reads of new streams
        self.turn = anyio.Semaphore(1)
        self._watches = set[Watch]()
        self._seen = dict[str, str]()  # name: the newest event for which its watches were woken
        self._hurry = anyio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watch(self, name: str, digest: str) -> Iterator[Watch]:
        """Watch the events under ``name`` within the block (names: `prodgen.ledger.ledger.Ledger.changed`).

        ``digest`` is that of the API key of the stream.
        """
        watch = Watch(name, digest, self)
        self._watches.add(watch)
        try:
            with self._changes.watch(name, self._look_now):
                yield watch
        finally:
            watch.end_turn()
            self._watches.discard(watch)
            if not any(other.name == name for other in self._watches):
                self._seen.pop(name, None)

    def watch_after(self, name: str, last: str) -> None:
        """Wake the watches of ``name`` at the next event after ``last``.

        If another stream waits for an event after an older one, that older event counts.
        """
        if name not in self._seen:
            self._look_now()
        # A client chooses `last`. An id of the future must not hide events from the other streams.
        self._seen[name] = min(self._seen.get(name, last), last, key=_order)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def _look_now(self) -> None:
        self._hurry.set()

    async def _run(self) -> None:
        healthy = True
        while self._watches:
            self._hurry = anyio.Event()
            digests = {watch.digest for watch in self._watches}
            try:
                found, valid = await run_sync(self._look, dict(self._seen), digests, limiter=self._thread)
            except Unavailable:
                healthy = False  # the streams that read meanwhile report it
            except Exception:
                log.exception("the events of streams cannot be read; the next read is tried soon")
                healthy = False
            else:
                self._seen.update((name, id) for name, id in found.items() if name in self._seen)
                for watch in self._watches:
                    # What happened while the ledger was away is not always an event: all read again.
                    if not healthy or watch.name in found or watch.digest not in valid:
                        watch.wake()
                healthy = True
            await anyio.sleep(QUICK if healthy else SLOW)
            with anyio.move_on_after(SLOW):
                await self._hurry.wait()

    def _look(self, after: dict[str, str], digests: set[str]) -> tuple[dict[str, str], set[str]]:
        """Read the ledger and the API keys.

        Returns the newest event id of each name that has an event after ``after[name]``, and the digests that
        belong to valid keys.
        """
        return self._ledger.changed(after), {digest for digest in digests if self._keys.find(digest)}


def _order(id: str) -> tuple[float, float]:
    """Return the sort key of an event id, from old to new. ``5`` is older than ``5-0``."""
    milliseconds, _, number = id.partition("-")
    return int(milliseconds), int(number) if number else -math.inf
