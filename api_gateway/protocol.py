"""HTTP connections that the gateway closes when the client sends or reads nothing for too long."""

import asyncio
import socket
import struct
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""Longest time in seconds that the head of a request (its first line and headers) may take."""
ANSWER_SECONDS = 30.0
"""Longest time in seconds for which a client may read no byte of a response."""
CHECK_SECONDS = 2.0


class TimedProtocol(H11Protocol):
    """A connection of uvicorn with the two time limits that uvicorn lacks.

    Without these limits, a client that sends half a head, or never reads the response, keeps its connection
    for ever. `BodyLimits` limits the time for a request body.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._request: object = None  # the last request whose head has arrived
        self._unsent, self._drained = 0, False
        self._head_awaited = self._bytes_taken = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._check()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._drained = True

    def _check(self) -> None:
        """Close the connection if the client exceeds a time limit; otherwise check again in CHECK_SECONDS."""
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if self.conn.their_state is not h11.IDLE or self.cycle is not self._request:
            self._head_awaited = now
        if self._drained or unsent < self._unsent or not unsent:
            self._bytes_taken = now
        self._request, self._unsent, self._drained = self.cycle, unsent, False
        if now - self._head_awaited > HEAD_SECONDS or now - self._bytes_taken > ANSWER_SECONDS:
            # Without lingering, so that the kernel does not keep what the client never reads.
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(CHECK_SECONDS, self._check)
