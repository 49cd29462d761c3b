"""Streams of server-sent events: the changes of a job or a run as they happen."""

import json
import re
from collections.abc import AsyncIterator, Callable, Collection
from typing import Annotated, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from api_gateway.auth import Secret
from api_gateway.deployment import DeploymentDep
from prodgen.errors import ProdgenError, Unavailable
from prodgen.ledger.entries import Event

QUICK, SLOW = 0.1, 1.0
"""Seconds between two reads of the ledger: after an event, and at most."""
KEEP_ALIVE = 15.0
"""Seconds between two comments, which keep proxies from closing a quiet connection."""
GRACE_SECONDS = 4.0
"""Seconds that a stream may take to end when the gateway shuts down. Uvicorn waits for five seconds."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events until the job or run has ended."}
}
"""The description of a stream in the API's schema."""

_EVENT_ID = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)
_MAX_PART = 2**64 - 1


class EventStream:
    """The response to a request for events. It begins after the event whose id the request sends."""

    def __init__(
        self,
        deployment: DeploymentDep,
        secret: Secret,
        last_event_id: Annotated[str | None, Header(description="Resume after this event.")] = None,
        after: Annotated[
            str | None, Query(description="The same, for clients that cannot send headers.")
        ] = None,
    ) -> None:
        self._deployment, self._secret = deployment, secret
        self._start = last_event_id or after or "0"
        self._shutdown = anyio.Event()
        match = _EVENT_ID.fullmatch(self._start)
        if match is None or any(int(part or 0) > _MAX_PART for part in match.groups()):
            raise ProdgenError(
                f"{self._start[:40]!r} is not the id of an event; send an id that came with an event",
                param="Last-Event-ID",
            )

    def respond(
        self,
        events: Callable[[str], list[Event]],
        present: Callable[[], dict[str, Any]],
        ended: Collection[str],
    ) -> EventSourceResponse:
        """Return the response.

        ``events`` is called with the id of an event, and returns the events after that event. ``present``
        returns the present state, which is sent if there is no event to send. The response ends after an
        event whose state is in ``ended``, when the API key is revoked, or when the gateway shuts down.
        """

        def read(last: str, first: bool) -> list[Event]:
            if found := events(last):
                return found
            now = present()
            if not first and now["state"] not in ended:
                return []
            return events(last) or [Event("", "state", {"type": "state", **now})]  # an event may be new

        return EventSourceResponse(
            self._send(read, ended),
            headers={"Cache-Control": "no-cache"},
            ping=KEEP_ALIVE,
            ping_message_factory=lambda: ServerSentEvent(comment="still here", sep="\n"),
            sep="\n",
            # Without grace, a stream would be cut off in the middle of the HTTP response.
            shutdown_event=self._shutdown,
            shutdown_grace_period=GRACE_SECONDS,
        )

    async def _send(
        self, read: Callable[[str, bool], list[Event]], ended: Collection[str]
    ) -> AsyncIterator[ServerSentEvent]:
        """Yield new events. Reads at intervals: a blocking read would occupy a thread for each stream."""

        def read_if_allowed() -> list[Event] | None:
            return read(last, first) if self._deployment.keys.lookup(self._secret) else None

        pause, last, first = QUICK, self._start, True
        while not self._shutdown.is_set():
            try:
                events = await run_sync(read_if_allowed, limiter=self._deployment.event_threads)
            except Unavailable as error:
                self._deployment.note_failure(error)
                events = []
                yield ServerSentEvent(comment=error.for_clients, sep="\n")
            if events is None:
                return
            for event in events:
                pause, last, first = QUICK, event.id or last, False
                yield ServerSentEvent(json.dumps(event.data), event=event.type, id=event.id or None, sep="\n")
                if event.data["state"] in ended:
                    return
            with anyio.move_on_after(pause):
                await self._shutdown.wait()
            pause = min(SLOW, pause * 1.5)
