"""A request that waits for a job or an image: it is woken by changes, and when its client has gone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fastapi import Request

from api_gateway.changes import Changes

CLIENT_CLOSED = 499
"""The HTTP status that the log shows for a request whose client has disconnected."""
LOOK_SECONDS = 0.5
"""Seconds after which a waiting request looks again although no change has woken it."""


class Waiting:
    """A request that waits. ``gone``: whether its client has disconnected."""

    def __init__(self) -> None:
        self.gone = False
        self._woken = asyncio.Event()

    async def change(self) -> None:
        """Return at the next change, when the client has gone, or after `LOOK_SECONDS`.

        Returns at once if that has happened since the last call.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)
        self._woken.clear()

    def wake(self) -> None:
        """Let the request look now."""
        self._woken.set()

    async def watch_client(self, request: Request) -> None:
        """Wake the request when its client has gone. The body of the request must have been read."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self.wake()


@contextmanager
def waiting(changes: Changes, name: str, request: Request | None) -> Iterator[Waiting]:
    """Yield a `Waiting` that wakes at each change of ``name`` in the ledger.

    Without ``request``, it does not learn whether the client has gone.
    """
    wait = Waiting()
    client = request and asyncio.create_task(wait.watch_client(request))
    try:
        with changes.watch(name, wait.wake):
            yield wait
    finally:
        if client:
            client.cancel()
