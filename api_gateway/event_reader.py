"""One reader of the ledger for all event streams of this process; it wakes those with something to read."""

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from prodgen.access import KeyRing
from prodgen.errors import Unavailable
from prodgen.ledger.ledger import Ledger

log = logging.getLogger("prodgen.gateway")

QUICK, SLOW = 0.03, 0.25
"""Seconds between two reads of the ledger: after an event or a new stream, and at most."""


@dataclass(eq=False)
class Watch:
    """A stream's wish to be woken at a new event under ``name``, and when its API key is revoked."""

    name: str
    digest: str
    reader: "EventReader"
    changed: anyio.Event = field(default_factory=anyio.Event)
    found: bool = False

    async def wait(self, last: str, shutdown: anyio.Event, seconds: float) -> bool:
        """Wait until the stream should read again after the event ``last``, or shut down; or ``seconds``.

        Returns whether there is an event to read. Call it only after a read that has found no event after
        ``last``.
        """
        self.reader.look_after(self.name, last)
        with anyio.move_on_after(max(0.0, seconds)):
            async with anyio.create_task_group() as group:

                async def cancel_after(event: anyio.Event) -> None:
                    await event.wait()
                    group.cancel_scope.cancel()

                group.start_soon(cancel_after, self.changed)
                group.start_soon(cancel_after, shutdown)
        found, self.found, self.changed = self.found, False, anyio.Event()
        return found


class EventReader:
    """Reads the ledger for every watch in one command. Runs only while there are watches.

    Only code in the event loop may use it.
    """

    def __init__(self, ledger: Ledger, keys: KeyRing, threads: CapacityLimiter) -> None:
        self._ledger, self._keys, self._threads = ledger, keys, threads
        self._watches = set[Watch]()
        self._seen = dict[str, str]()  # name: the newest event for which its watches were woken
        self._hurry, self._pause = anyio.Event(), QUICK
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watch(self, name: str, digest: str) -> Iterator[Watch]:
        """Watch the events under ``name`` (`prodgen.ledger.ledger.Ledger.changed`) until the block ends."""
        watch = Watch(name, digest, self)
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            if not any(other.name == name for other in self._watches):
                self._seen.pop(name, None)

    def look_after(self, name: str, last: str) -> None:
        """Wake the watches of ``name`` at an event after ``last``, or after what they were woken for."""
        if name not in self._seen:
            self._pause = QUICK
            self._hurry.set()
        # A client chooses `last`. An id of the future must not hide events from the other streams.
        self._seen[name] = min(self._seen.get(name, last), last, key=_order)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        healthy = True
        while self._watches:
            self._hurry = anyio.Event()
            digests = {watch.digest for watch in self._watches}
            try:
                found, valid = await run_sync(self._look, dict(self._seen), digests, limiter=self._threads)
            except Unavailable:
                healthy = False  # the streams that read meanwhile report it
                self._pause = SLOW
            except Exception:
                log.exception("the events of streams cannot be read; the next read is tried soon")
                healthy, self._pause = False, SLOW
            else:
                self._seen.update((name, id) for name, id in found.items() if name in self._seen)
                for watch in self._watches:
                    watch.found = watch.found or watch.name in found
                    # What happened while the ledger was away is not always an event: all read again.
                    if not healthy or watch.name in found or watch.digest not in valid:
                        watch.changed.set()
                self._pause = QUICK if found else min(SLOW, self._pause * 1.4)
                healthy = True
            with anyio.move_on_after(self._pause):
                await self._hurry.wait()

    def _look(self, after: dict[str, str], digests: set[str]) -> tuple[dict[str, str], set[str]]:
        """Return the newest event of each name with events after those in ``after``, and the valid keys."""
        return self._ledger.changed(after), {digest for digest in digests if self._keys.find(digest)}


def _order(id: str) -> tuple[float, float]:
    """Return what sorts the ids of events by age. An id without a second part is older than one with it."""
    milliseconds, _, number = id.partition("-")
    return int(milliseconds), int(number) if number else -math.inf
