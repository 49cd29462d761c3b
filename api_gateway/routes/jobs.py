"""Orders: sent, listed, shown, cancelled."""

import uuid
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Header, Query, Request, Response

from api_gateway.auth import Generator
from api_gateway.lookup import find_job, find_order
from api_gateway.services import Services, services
from api_gateway.views import JobDetails, JobList, JobView
from prodgen.errors import Unavailable
from prodgen.jobs.ending import settle_job
from prodgen.jobs.record import JobRecord
from prodgen.jobs.submission import submit
from prodgen.ledger.entries import TERMINAL
from prodgen.spec.order import JobSpec

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

Here = Annotated[Services, Depends(services)]

DOORBELLS = 16
"""Doorbells for a new job at most: whoever hears one and has room rings the next."""


@router.post("", status_code=202, summary="Order images")
def send(
    spec: JobSpec,
    caller: Generator,
    here: Here,
    request: Request,
    response: Response,
    later: BackgroundTasks,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=200, description="The same key with the same order is the same job."),
    ] = None,
) -> JobDetails:
    """Order images. The answer comes when the order is safe in the store; its total is what will be made."""
    key = idempotency_key or uuid.uuid4().hex
    record, created = submit(here.store, here.ledger, here.settings, caller.tenant, spec, key)
    response.headers["Location"] = f"/v1/jobs/{record.id}"
    queue = record.spec.priority
    if created:
        request.app.state.metrics.images.labels(queue).inc(record.total)
    else:
        response.headers["Idempotent-Replayed"] = "true"
    later.add_task(here.ring, queue, min(record.cells, DOORBELLS))
    return _details(here, record)


@router.get("", summary="List your jobs")
def index(
    caller: Generator,
    here: Here,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="The `next` of the page before.")] = None,
) -> JobList:
    """The newest first."""
    found = here.ledger.jobs(caller.tenant, after, limit + 1)
    return JobList(
        data=list(map(JobView.of, found[:limit])), next=found[limit - 1].id if found[limit:] else None
    )


@router.get("/{job}", summary="Show a job")
def show(job: str, caller: Generator, here: Here) -> JobDetails:
    """One job, with what was ordered."""
    return _details(here, find_order(here, caller.tenant, job))


@router.post("/{job}/cancel", summary="Cancel a job")
def cancel(job: str, caller: Generator, here: Here) -> JobDetails:
    """Stop a job for good; images already made stay. A job that has ended stays as it is."""
    record = find_order(here, caller.tenant, job)
    if find_job(here, caller.tenant, job).state not in TERMINAL:
        if here.ledger.cancel(job) is None:  # a restarted ledger may have forgotten it
            here.ledger.submit(record.entry())
            here.ledger.cancel(job)
        if settle_job(here.store, here.ledger, record) is None and _is_cancelled(here, record):
            raise Unavailable("the job is stopped, but this is not yet in the store; ask again")
    return _details(here, record)


def _is_cancelled(here: Services, record: JobRecord) -> bool:
    return find_job(here, record.tenant, record.id).state == "cancelled"


def _details(here: Services, record: JobRecord) -> JobDetails:
    return JobDetails.of_record(find_job(here, record.tenant, record.id), record)
