"""What happens, as it happens (server-sent events)."""

import json
import re
import time
from collections.abc import AsyncIterator, Callable, Collection
from typing import Annotated

import anyio
from anyio.to_thread import run_sync
from fastapi import Depends, Header, Query
from fastapi.responses import StreamingResponse

from api_gateway.services import Services
from prodgen.errors import ProdgenError, Unavailable
from prodgen.ledger.entries import Event

QUICK, SLOW = 0.1, 1.0
"""Seconds between looks: while things happen, and at the most."""
KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent, so that nobody on the way hangs up."""

_EVENT_ID = re.compile(r"\d{1,20}(-\d{1,20})?")

Look = Callable[[str, bool], list[Event]]
"""(after which event, whether nothing was told yet) -> what happened."""


def start_after(
    last_event_id: Annotated[str | None, Header(description="Resumes after this event.")] = None,
    after: Annotated[str | None, Query(description="The same, for those who cannot send headers.")] = None,
) -> str:
    """Where the listener wants to begin."""
    start = last_event_id or after or "0"
    if not _EVENT_ID.fullmatch(start):
        raise ProdgenError(
            f"{start[:40]!r} is no event id; send one that came with an event", param="Last-Event-ID"
        )
    return start


Start = Annotated[str, Depends(start_after)]


def respond(here: Services, look: Look, start: str, ended: Collection[str]) -> StreamingResponse:
    """A stream of events until one of them says a state in ``ended``."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(here, look, start, ended), 200, headers, "text/event-stream")


async def _stream(here: Services, look: Look, last: str, ended: Collection[str]) -> AsyncIterator[str]:
    """Looks again and again, in few threads, rather than waiting in one thread a listener."""
    pause, sent, told = QUICK, time.monotonic(), False
    while not here.closing.is_set():
        try:
            events = await run_sync(look, last, not told, limiter=here.listeners)
        except Unavailable as error:
            here.heed(error)
            events = []
            yield f": {error}\n\n"
        for event in events:
            last, told, pause, sent = event.id or last, True, QUICK, time.monotonic()
            yield _format(event)
            if event.data["state"] in ended:
                return
        if time.monotonic() - sent > KEEP_ALIVE:
            sent = time.monotonic()
            yield ": still here\n\n"
        await anyio.sleep(pause)
        pause = min(SLOW, pause * 1.5)


def _format(event: Event) -> str:
    number = f"id: {event.id}\n" if event.id else ""
    return f"{number}event: {event.type}\ndata: {json.dumps(event.data)}\n\n"
