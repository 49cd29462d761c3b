"""Control jobs: pause, resume, change priority and keep, retry failed images, reject and delete images."""

from typing import Annotated

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, BackgroundTasks, Path, Query, Request
from pydantic import BaseModel, Field

from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.lookup import check_id, find_job_record, job_details
from api_gateway.requests import IdempotencyKey, StrictRoute
from api_gateway.routes.jobs import check_marks, image_view, note_job
from api_gateway.schemas import ImageView, JobDetails
from prodgen.access import ApiKey
from prodgen.jobs.control import change_job, keep_job, retry_job
from prodgen.jobs.image_deletion import delete_image, delete_newest
from prodgen.jobs.rejection import reject_images
from prodgen.ledger.entries import Queue
from prodgen.spec.order import Kept

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)


class PriorityChange(BaseModel, extra="forbid"):
    """The new priority of a job."""

    priority: Queue


class KeepChange(BaseModel, extra="forbid"):
    """How long a job is kept after its end: days or hours, such as `30d` or `12h`, or `forever`."""

    keep: Kept


class RejectedImages(BaseModel, extra="forbid"):
    """The indices of images that are to be made again."""

    images: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, max_length=1000)


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


@router.post("/{job}/keep", summary="Change how long a job is kept")
def keep(job: str, change: KeepChange, caller: Generator, deployment: DeploymentDep) -> JobDetails:
    """Keep a job, with its images, for another time after its end. It is deleted when that time is over."""
    find_job_record(deployment, caller.tenant, job)  # the error for a deleted job says until when it is kept
    record = keep_job(deployment.store, deployment.ledger, caller.tenant, job, change.keep)
    return job_details(deployment, record)


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


@router.post("/{job}/reject", status_code=202, summary="Make rejected images again")
def reject(
    job: str,
    rejected: RejectedImages,
    caller: Generator,
    deployment: DeploymentDep,
    request: Request,
    later: BackgroundTasks,
    idempotency_key: IdempotencyKey,
) -> JobDetails:
    """Order the next attempt of finished images, by the same version, with the same attributes and finish.

    Answers with the new job, whose `replaces` names the rejected images. The first job does not change; its
    list of images with `newest` has a new image in the place of the rejected one, once the new one is made.
    """
    record = find_job_record(deployment, caller.tenant, job)
    check_marks(record.spec, caller)
    services = (deployment.store, deployment.ledger, deployment.settings)
    request_id = correlation_id.get()
    again, new = reject_images(*services, record, rejected.images, idempotency_key, request_id=request_id)
    note_job(request, again, new)
    later.add_task(deployment.ring, again.spec.priority, again.cells)
    return job_details(deployment, again)


@router.delete("/{job}/images/{index}", summary="Delete an image of a job")
def delete(
    job: str,
    index: Annotated[int, Path(ge=0)],
    caller: Generator,
    deployment: DeploymentDep,
    newest: Annotated[bool, Query(description="Delete what replaces a rejected image, too.")] = False,
) -> ImageView:
    """Delete an image of an ended job for good, and answer with its manifest line, which stays.

    The image is gone from lists, downloads and the archive; the Merkle root and the proofs do not change. An
    image that is deleted already does not change. Answers 409 for a job that has not ended, and for
    `packaging` `tar`.
    """
    find_job_record(deployment, caller.tenant, job)  # the error for a deleted job says until when it is kept
    remove = delete_newest if newest else delete_image
    line = remove(deployment.store, deployment.ledger, caller.tenant, job, index)
    return image_view(deployment, line)


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
