"""Streams of server-sent events: the changes of a job or a run as they happen."""

import json
import math
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Collection
from typing import Annotated, Any, Literal

import anyio
from anyio.to_thread import run_sync
from fastapi import Depends, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from api_gateway.auth import Anyone, KeyDigest
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.event_reader import QUICK
from prodgen.errors import ProdgenError, TooManyRequests, Unavailable
from prodgen.ledger.entries import Event
from prodgen.tenants import recent_grant

STREAMS_PER_TENANT = 64
"""Open streams that a tenant may have if its grant names no limit. The gateway has 800 connections in all."""
STREAM_SECONDS = 1800.0
"""Seconds after which a stream ends. The client connects again, and continues after the last event."""
CHECK_SECONDS = 10.0
"""Seconds after which a stream that is not woken reads the ledger; a random part of up to 20% is added."""
RETRY_SECONDS = 1.0
"""Seconds until a stream reads again after Redis or the store did not answer."""
KEEP_ALIVE = 15.0
"""Seconds between two comments, which keep proxies from closing a quiet connection."""
GRACE_SECONDS = 4.0
"""Seconds that a stream may take to end when the gateway shuts down. Uvicorn waits for five seconds."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {}},
        "description": "Events until the job or run has ended. A stream ends earlier after half an hour.",
    }
}
"""The description of an event stream in the OpenAPI schema."""

_EVENT_ID = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)
_MAX_PART = 2**64 - 1


class EventStream:
    """Makes the response to a request for events. The first event is the one after the id ``start``."""

    def __init__(self, deployment: Deployment, digest: str, start: str) -> None:
        self._deployment, self._digest, self._start = deployment, digest, start
        self._shutdown = anyio.Event()

    def respond(
        self,
        name: str,
        events: Callable[[str], list[Event]],
        present: Callable[[], dict[str, Any]],
        ended: Collection[str],
        repeat_seconds: float = math.inf,
    ) -> EventSourceResponse:
        """Return the response that sends the events.

        ``name``: the name of the events in the ledger (`prodgen.ledger.ledger.Ledger.changed`).
        ``events(id)`` returns the events after the event ``id``. ``present()`` returns the present state; the
        response sends it if there is no event at first, and after ``repeat_seconds`` without an event. The
        response ends after an event whose state is in ``ended``, after `STREAM_SECONDS`, when the API key is
        revoked, or when the gateway shuts down.
        """

        def read(last: str, idle_seconds: float) -> list[Event]:
            if found := events(last):
                return found
            now = present()
            if idle_seconds < repeat_seconds and now["state"] not in ended:
                return []
            kind: Literal["state", "progress"] = "state" if idle_seconds == math.inf else "progress"
            return events(last) or [Event("", kind, {"type": kind, **now})]  # an event may be new

        return EventSourceResponse(
            self._send(name, read, ended, min(CHECK_SECONDS, repeat_seconds)),
            headers={"Cache-Control": "no-cache"},
            ping=KEEP_ALIVE,
            ping_message_factory=lambda: ServerSentEvent(comment="still here", sep="\n"),
            sep="\n",
            # Without grace, a stream would be cut off in the middle of the HTTP response.
            shutdown_event=self._shutdown,
            shutdown_grace_period=GRACE_SECONDS,
        )

    async def _send(
        self,
        name: str,
        read: Callable[[str, float], list[Event]],
        ended: Collection[str],
        check_seconds: float,
    ) -> AsyncIterator[ServerSentEvent]:
        """Yield the new events. `EventReader` wakes the stream: a blocking read would need a thread each.

        ``read(last, seconds)`` returns the events after the event ``last``, which was sent ``seconds`` ago.
        """

        def read_if_allowed() -> list[Event] | None:
            return read(last, time.monotonic() - sent) if self._deployment.keys.find(self._digest) else None

        async def read_in_thread() -> list[Event] | None:
            try:
                return await run_sync(read_if_allowed, limiter=deployment.event_threads)
            finally:
                watch.end_turn()

        deployment = self._deployment
        last, sent, end = self._start, -math.inf, time.monotonic() + STREAM_SECONDS
        with deployment.event_reader.watch(name, self._digest) as watch:
            while not self._shutdown.is_set() and time.monotonic() < end:
                try:
                    events = await read_in_thread()
                except Unavailable as error:
                    deployment.note_failure(error)
                    yield ServerSentEvent(comment=error.for_clients, sep="\n")
                    # The reader would wake the stream at once for an event that cannot be read yet.
                    await self._pause(RETRY_SECONDS)
                    continue
                if events is None:
                    return
                for event in events:
                    last, sent = event.id or last, time.monotonic()
                    yield ServerSentEvent(
                        json.dumps(event.data), event=event.type, id=event.id or None, sep="\n"
                    )
                    if event.data["state"] in ended:
                        return
                if any(event.id for event in events):  # there may be more than one read gives
                    await self._pause(QUICK)
                else:
                    # Streams that began together read at different times.
                    seconds = check_seconds * random.uniform(1.0, 1.2)  # noqa: S311
                    await watch.wait(last, self._shutdown, min(seconds, end - time.monotonic()))

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._shutdown.wait()


async def _event_stream(
    deployment: DeploymentDep,
    caller: Anyone,
    digest: KeyDigest,
    last_event_id: Annotated[str | None, Header(description="Resume after this event.")] = None,
    after: Annotated[str | None, Query(description="The same, for clients that cannot send headers.")] = None,
) -> AsyncIterator[EventStream]:
    """Yield the event stream of a request. Counts it as open until the response has ended.

    Raises ProdgenError for a malformed event id, and TooManyRequests if the tenant has too many streams.
    """
    start = last_event_id or after or "0"
    match = _EVENT_ID.fullmatch(start)
    if match is None or any(int(part or 0) > _MAX_PART for part in match.groups()):
        raise ProdgenError(
            f"{start[:40]!r} is not the id of an event; send an id that came with an event",
            param="Last-Event-ID",
        )
    streams = deployment.event_streams
    most = recent_grant(deployment.store, caller.tenant).event_streams or STREAMS_PER_TENANT
    if streams[caller.tenant] >= most:
        raise TooManyRequests(
            f"{most} event streams of this tenant are open, and no more may be open at a time; "
            "close one, or ask for the state of the job or run instead"
        )
    streams[caller.tenant] += 1
    try:
        yield EventStream(deployment, digest, start)
    finally:
        streams[caller.tenant] -= 1


Stream = Annotated[EventStream, Depends(_event_stream)]
