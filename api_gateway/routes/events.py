"""The events of a job as they happen."""

from typing import Annotated

from fastapi import Depends
from sse_starlette import EventSourceResponse

from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.event_streams import EventStream
from api_gateway.json_body import Router
from api_gateway.lookup import find_progress
from prodgen.ledger.entries import TERMINAL, Event

router = Router(prefix="/v1/jobs", tags=["jobs"])


@router.get(
    "/{job}/events",
    summary="Follow a job",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events until the job has ended."}},
)
def follow(
    job: str, caller: Generator, deployment: DeploymentDep, stream: Annotated[EventStream, Depends()]
) -> EventSourceResponse:
    """Send every change of a job's state and counts, from the oldest that is kept, until the job has ended.

    `event` is `state` or `progress`; `data` is `{"type", "state", "done", "total"}`. An event without an id
    gives the present state, when there is no earlier event to send.
    """
    find_progress(deployment, caller.tenant, job)

    def read(last: str, first: bool) -> list[Event]:
        return _read(deployment, caller.tenant, job, last, first)

    return stream.respond(read, TERMINAL)


def _read(deployment: Deployment, tenant: str, job: str, last: str, first: bool) -> list[Event]:
    """Return the events after ``last``. If there are none and the job has ended, or nothing was sent yet,
    return its present state."""
    events = deployment.ledger.events(job, last)
    if events:
        return events
    now = find_progress(deployment, tenant, job)
    if not first and now.state not in TERMINAL:
        return []
    data = {"type": "state", "state": now.state, "done": now.done, "total": now.total}
    # Events may have been added between the two reads.
    return deployment.ledger.events(job, last) or [Event("", "state", data)]
