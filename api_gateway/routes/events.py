"""A job's events as they happen (server-sent events)."""

import json
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from api_gateway.auth import Generator
from api_gateway.lookup import find_job
from api_gateway.services import Services, services
from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs.ledger import Event
from prodgen.jobs.record import TERMINAL

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

QUICK, SLOW = 0.1, 1.0
"""Seconds between looks: while things happen, and at the most."""
KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent, so that nobody on the way hangs up."""

_EVENT_ID = re.compile(r"\d{1,20}(-\d{1,20})?")


@router.get(
    "/{job}/events",
    summary="Follow a job",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events until the job has ended."}},
)
def follow(
    job: str,
    caller: Generator,
    here: Annotated[Services, Depends(services)],
    last_event_id: Annotated[str | None, Header(description="Resumes after this event.")] = None,
    after: Annotated[str | None, Query(description="The same, for those who cannot send headers.")] = None,
) -> StreamingResponse:
    """Every change of state and count, from the first that is kept; the stream ends with the job.

    `event: state` or `progress`; `data: {"type", "state", "done", "total"}`. An event without an id says how
    the job stands when there is nothing to replay.
    """
    start = last_event_id or after or "0"
    if not _EVENT_ID.fullmatch(start):
        raise ProdgenError(
            f"{start[:40]!r} is no event id; send one that came with an event", param="Last-Event-ID"
        )
    find_job(here, caller.tenant, job)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(here, caller.tenant, job, start), 200, headers, "text/event-stream")


async def _stream(here: Services, tenant: str, job: str, last: str) -> AsyncIterator[str]:
    """Looks again and again, in few threads, rather than waiting in one thread a listener."""
    pause, sent, told = QUICK, time.monotonic(), False
    while not here.closing.is_set():
        try:
            events = await run_sync(_look, here, tenant, job, last, not told, limiter=here.listeners)
        except Unavailable as error:
            here.heed(error)
            events = []
            yield f": {error}\n\n"
        for event in events:
            last, told, pause, sent = event.id or last, True, QUICK, time.monotonic()
            yield _format(event)
            if event.data["state"] in TERMINAL:
                return
        if time.monotonic() - sent > KEEP_ALIVE:
            sent = time.monotonic()
            yield ": still here\n\n"
        await anyio.sleep(pause)
        pause = min(SLOW, pause * 1.5)


def _look(here: Services, tenant: str, job: str, last: str, first: bool) -> list[Event]:
    """What happened after ``last``; where nothing did, how the job stands if it is ended or not told yet."""
    events = here.ledger.events(job, last)
    if events:
        return events
    now = find_job(here, tenant, job)
    if not first and now.state not in TERMINAL:
        return []
    data = {"type": "state", "state": now.state, "done": now.done, "total": now.total}
    return here.ledger.events(job, last) or [Event("", "state", data)]  # what happened between the two looks


def _format(event: Event) -> str:
    number = f"id: {event.id}\n" if event.id else ""
    return f"{number}event: {event.type}\ndata: {json.dumps(event.data)}\n\n"
