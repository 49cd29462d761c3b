"""A job's events as they happen."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from api_gateway.auth import Generator
from api_gateway.lookup import find_job
from api_gateway.services import Services, services
from api_gateway.streaming import Start, respond
from prodgen.ledger.entries import TERMINAL, Event

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get(
    "/{job}/events",
    summary="Follow a job",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events until the job has ended."}},
)
def follow(
    job: str, caller: Generator, here: Annotated[Services, Depends(services)], start: Start
) -> StreamingResponse:
    """Every change of state and count, from the first that is kept; the stream ends with the job.

    `event: state` or `progress`; `data: {"type", "state", "done", "total"}`. An event without an id says how
    the job stands when there is nothing to replay.
    """
    find_job(here, caller.tenant, job)

    def look(last: str, first: bool) -> list[Event]:
        return _look(here, caller.tenant, job, last, first)

    return respond(here, look, start, TERMINAL)


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
