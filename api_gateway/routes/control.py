"""Control over jobs: pause, resume, change the priority, and retry failed images."""

from fastapi import APIRouter, BackgroundTasks
from pydantic import BaseModel

from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.lookup import check_id, find_job_record, job_details
from api_gateway.requests import StrictRoute
from api_gateway.schemas import JobDetails
from prodgen.access import ApiKey
from prodgen.jobs.control import change_job, retry_job
from prodgen.ledger.entries import Queue

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)


class PriorityChange(BaseModel, extra="forbid"):
    """The new priority of a job."""

    priority: Queue


@router.post("/{job}/pause", summary="Pause a job")
def pause(job: str, caller: Generator, deployment: DeploymentDep) -> JobDetails:
    """Give no more images of a job to workers. The images that workers make now are still delivered.

    A job that has ended does not change. A paused job can be cancelled.
    """
    return _change(deployment, caller, job, paused=True)


@router.post("/{job}/resume", summary="Resume a paused job")
def resume(job: str, caller: Generator, deployment: DeploymentDep, later: BackgroundTasks) -> JobDetails:
    """Continue a paused job. It takes its turn among the other jobs, and does not catch up."""
    details = _change(deployment, caller, job, paused=False)
    later.add_task(deployment.ring, details.priority, 1)
    return details


@router.post("/{job}/priority", summary="Change a job's priority")
def priority(
    job: str, change: PriorityChange, caller: Generator, deployment: DeploymentDep, later: BackgroundTasks
) -> JobDetails:
    """Move a job to the other queue, with effect on the next images that a worker takes.

    An interactive job has at most 64 images. A job that has ended does not change.
    """
    details = _change(deployment, caller, job, priority=change.priority)
    later.add_task(deployment.ring, details.priority, 1)
    return details


@router.post("/{job}/retry", summary="Retry a job's failed images")
def retry(job: str, caller: Generator, deployment: DeploymentDep, later: BackgroundTasks) -> JobDetails:
    """Try to make the failed images of a `partial` or `failed` job again. All other images stay as they are.

    The job runs again, and has a second end with a webhook of its own. A retry that runs does not change.

    Answers 409 for a job that was cancelled, has not ended, or has no failed images.
    """
    find_job_record(deployment, caller.tenant, job)  # the error for a deleted job says until when it is kept
    record = retry_job(deployment.store, deployment.ledger, deployment.settings, caller.tenant, job)
    details = job_details(deployment, record)
    later.add_task(deployment.ring, details.priority, 1)
    return details


def _change(
    deployment: Deployment,
    caller: ApiKey,
    job: str,
    *,
    paused: bool | None = None,
    priority: Queue | None = None,
) -> JobDetails:
    check_id(job)
    services = (deployment.store, deployment.ledger, deployment.settings)
    record = change_job(*services, caller.tenant, job, paused=paused, priority=priority)
    return job_details(deployment, record)
