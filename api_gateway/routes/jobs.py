"""Jobs: order images, and list, show and cancel the orders."""

from typing import Annotated

from asgi_correlation_id import correlation_id
from fastapi import BackgroundTasks, Query, Request, Response

from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.job_schemas import JobDetails, JobList, JobView
from api_gateway.json_body import Router
from api_gateway.lookup import find_job_record, find_progress
from api_gateway.parameters import Cursor, IdempotencyKey
from prodgen.errors import Unavailable
from prodgen.jobs.ending import settle_job
from prodgen.jobs.record import JobRecord
from prodgen.jobs.submission import submit
from prodgen.ledger.entries import TERMINAL
from prodgen.spec.order import JobSpec

router = Router(prefix="/v1/jobs", tags=["jobs"])

DOORBELLS = 16
"""The most doorbells of a new job. A worker that hears one and has room for more rings the next."""


@router.post("", status_code=202, summary="Order images")
def create(
    spec: JobSpec,
    caller: Generator,
    deployment: DeploymentDep,
    request: Request,
    response: Response,
    later: BackgroundTasks,
    idempotency_key: IdempotencyKey,
) -> JobDetails:
    """Order images. The answer means that the order is safely stored. Its `total` is the number of images
    that will be made."""
    record, created = submit(
        deployment.store,
        deployment.ledger,
        deployment.settings,
        caller.tenant,
        spec,
        idempotency_key,
        request_id=correlation_id.get(),
    )
    request.state.job = record.id
    response.headers["Location"] = f"/v1/jobs/{record.id}"
    queue = record.spec.priority
    if created:
        request.app.state.metrics.images.labels(queue).inc(record.total)
    else:
        response.headers["Idempotent-Replayed"] = "true"
    later.add_task(deployment.ring, queue, min(record.cells, DOORBELLS))
    return _details(deployment, record)


@router.get("", summary="List your jobs")
def index(
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Cursor = None,
) -> JobList:
    """List your jobs, newest first."""
    found = deployment.ledger.jobs(caller.tenant, after, limit + 1)
    return JobList(
        data=list(map(JobView.of, found[:limit])), next=found[limit - 1].id if found[limit:] else None
    )


@router.get("/{job}", summary="Show a job")
def show(job: str, caller: Generator, deployment: DeploymentDep) -> JobDetails:
    """Show one job and its order."""
    return _details(deployment, find_job_record(deployment, caller.tenant, job))


@router.post("/{job}/cancel", summary="Cancel a job")
def cancel(job: str, caller: Generator, deployment: DeploymentDep) -> JobDetails:
    """Stop a job for good. Its finished images stay. A job that has ended does not change."""
    record = find_job_record(deployment, caller.tenant, job)
    if find_progress(deployment, caller.tenant, job).state not in TERMINAL:
        if deployment.ledger.cancel(job) is None:  # Redis has restarted and forgotten the job
            deployment.ledger.submit(record.entry())
            deployment.ledger.cancel(job)
        settled = settle_job(deployment.store, deployment.ledger, record)
        if settled is None and find_progress(deployment, caller.tenant, job).state == "cancelled":
            raise Unavailable("the job is cancelled, but the store does not record it yet; cancel it again")
    return _details(deployment, record)


def _details(deployment: Deployment, record: JobRecord) -> JobDetails:
    progress = find_progress(deployment, record.tenant, record.id)
    return JobDetails.of(progress, model=record.model, packaging=record.packaging, request=record.spec)
