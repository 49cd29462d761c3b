"""Jobs: order images; list, show, follow and cancel the orders; list the images of a job."""

import logging
from typing import Annotated, Any

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, BackgroundTasks, HTTPException, Query, Request, Response
from sse_starlette import EventSourceResponse

from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.event_streams import RESPONSES, Stream
from api_gateway.lookup import check_id, find_job_record, find_progress, job_details
from api_gateway.requests import AfterNumber, Cursor, IdempotencyKey, Limit, StrictRoute
from api_gateway.schemas import DeletionView, ImageView, JobDetails, JobView, Page
from prodgen.access import ApiKey
from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs import delivery
from prodgen.jobs.control import enter_job
from prodgen.jobs.deletion import DeletedJobs
from prodgen.jobs.ending import settle_job
from prodgen.jobs.failures import Failure, failures
from prodgen.jobs.record import JobRecord, load_state
from prodgen.jobs.submission import submit
from prodgen.jobs.time_left import time_left
from prodgen.ledger.entries import TERMINAL, Event, Progress, Queue, State
from prodgen.spec.describe import Language, describe_line
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import JobSpec
from prodgen.storage.links import sign

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

log = logging.getLogger("prodgen.gateway")

DOORBELLS = 16
"""Largest number of doorbells for a new job. A worker that can take more work sends another doorbell."""
REPEAT_SECONDS = 10.0
"""Seconds without a change of a job after which a stream sends its state again, with the new time left."""
SCANS, SCAN = 10, 100
"""For one page of a filtered list: the largest number of reads, and the number of jobs in each read."""


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
    """Order images. When the answer arrives, the order is safely stored. `total` is the number of images that
    the job will make."""
    unmarked = check_marks(spec, caller)
    record, created = place(spec, caller, deployment, request, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{record.id}"
    if unmarked:
        log.warning("job %s by key %s: images without marks", record.id, caller.id)
    if not created:
        response.headers["Idempotent-Replayed"] = "true"
    later.add_task(deployment.ring, record.spec.priority, min(record.cells, DOORBELLS))
    return job_details(deployment, record)


def check_marks(spec: JobSpec, caller: ApiKey) -> bool:
    """Return whether the order asks for images without marks.

    Raises HTTPException 403 if it does, but the key lacks the scope ``unmarked``.
    """
    unmarked = spec.output.marks == "none"
    if unmarked and not caller.allows("unmarked"):
        raise HTTPException(403, "output.marks 'none' needs an API key with the scope unmarked")
    return unmarked


def place(
    spec: JobSpec, caller: ApiKey, deployment: Deployment, request: Request, idempotency_key: str
) -> tuple[JobRecord, bool]:
    """Place an order and count its images in the metrics. Sends no doorbell.

    Returns the job, and whether it is new: a repeated idempotency key gives the earlier job.
    """
    services = (deployment.store, deployment.ledger, deployment.settings)
    record, created = submit(*services, caller.tenant, spec, idempotency_key, request_id=correlation_id.get())
    note_job(request, record, created)
    return record, created


def note_job(request: Request, record: JobRecord, created: bool) -> None:
    """Add the job's id to the log line of the request. If the job is new, count its images in the metrics."""
    request.state.job = record.id
    if created:
        request.app.state.metrics.images.labels(record.spec.priority).inc(record.total)


@router.get("", summary="List your jobs")
def index(
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Cursor = None,
    state: Annotated[tuple[State, ...], Query(description="List only jobs in these states.")] = (),
    priority: Annotated[Queue | None, Query(description="List only jobs of this queue.")] = None,
) -> Page[JobView]:
    """List your jobs, newest first: all that have not ended, and the newest 10,000 that have.

    A page of a filtered list may be short, or empty, and have a `next`.
    """

    def fits(job: Progress) -> bool:
        return (not state or job.state in state) and priority in (None, job.queue)

    found = list[Progress]()
    for _ in range(SCANS):
        scanned = deployment.ledger.jobs(caller.tenant, after, SCAN if state or priority else limit + 1)
        for job in filter(fits, scanned):
            if len(found) == limit:
                return Page(data=list(map(JobView.of, found)), next=_cursor(found[-1]))
            found.append(job)
        if not scanned:
            return Page(data=list(map(JobView.of, found)))
        after = _cursor(scanned[-1])
    return Page(data=list(map(JobView.of, found)), next=after)


@router.get("/{job}", summary="Show a job")
def show(job: str, caller: Generator, deployment: DeploymentDep) -> JobDetails:
    """Show one job and its order."""
    return job_details(deployment, find_job_record(deployment, caller.tenant, job))


@router.get("/{job}/events", summary="Follow a job", response_class=EventSourceResponse, responses=RESPONSES)
def follow(job: str, caller: Generator, deployment: DeploymentDep, stream: Stream) -> EventSourceResponse:
    """Send every change of a job's state and counts, from the oldest that is kept, until the job has ended.

    `event` is `state` or `progress`; `data` is `{"type", "state", "done", "total"}`. Until the job has ended,
    the newest event also has `seconds_left` and `reason`, as the job itself. An event without an id gives the
    present state, when there is no earlier event to send, and every ten to twelve seconds without a change.
    """
    find_progress(deployment, caller.tenant, job)

    def events(last: str) -> list[Event]:
        found = deployment.ledger.events(job, last)
        if found and found[-1].data["state"] not in TERMINAL:
            found[-1].data.update(left(find_progress(deployment, caller.tenant, job)))
        return found

    def present() -> dict[str, Any]:
        now = find_progress(deployment, caller.tenant, job)
        return {"state": now.state, "done": now.done, "total": now.total, **left(now)}

    def left(now: Progress) -> dict[str, Any]:
        return {} if now.state in TERMINAL else time_left(deployment.ledger, now)._asdict()

    return stream.respond(f"job:{job}:events", events, present, TERMINAL, REPEAT_SECONDS)


@router.get("/{job}/images", summary="List a job's images")
def images(
    job: str,
    caller: Generator,
    deployment: DeploymentDep,
    limit: Limit = 100,
    after: AfterNumber = -1,
    language: Language | None = None,
    attribute: Annotated[
        tuple[str, ...],
        Query(description="`NAME=VALUE`, as images have it. Several values of a name are alternatives."),
    ] = (),
    untrusted: Annotated[bool, Query(description="List only pictures with `review` or `findings`.")] = False,
    newest: Annotated[bool, Query(description="List what replaces a rejected image in its place.")] = False,
    deleted: Annotated[bool, Query(description="List deleted images, too; their `url` is null.")] = False,
) -> Page[ImageView]:
    """List the finished images by index. Their links need no key and expire; a new list has new links. With
    `language`, each image has a `description`: `title`, `alt` and `name`, from what it was made with.

    A page of a filtered list may be short, or empty, and have a `next`.
    """
    record = find_job_record(deployment, caller.tenant, job)
    wanted = _wanted_values(attribute)

    def fits(line: ManifestLine) -> bool:
        trusted = not (line.review or line.findings)
        return not (untrusted and trusted) and all(
            line.attributes.get(name) in values for name, values in wanted.items()
        )

    if wanted or untrusted:
        lines, following = delivery.search(deployment.store, record, fits, after, limit, newest=newest)
    else:
        lines, following = delivery.page(
            deployment.store, record, after, limit, newest=newest, deleted=deleted
        )
    return Page(
        data=[image_view(deployment, line, language) for line in lines],
        next=None if following is None else str(following),
    )


@router.get("/{job}/failures", summary="List a job's failed images")
def list_failures(
    job: str,
    caller: Generator,
    deployment: DeploymentDep,
    limit: Limit = 100,
    after: AfterNumber = -1,
) -> Page[Failure]:
    """List the images that could not be made by index, and why. A retry of the job tries them again."""
    record = find_job_record(deployment, caller.tenant, job)
    found, following = failures(deployment.store, deployment.ledger, record, after, limit)
    return Page(data=found, next=None if following is None else str(following))


@router.post("/{job}/cancel", summary="Cancel a job")
def cancel(job: str, caller: Generator, deployment: DeploymentDep) -> JobDetails:
    """Stop a job for good. Its finished images stay. A job that has ended does not change."""
    record = find_job_record(deployment, caller.tenant, job)
    if find_progress(deployment, caller.tenant, job).state not in TERMINAL:
        if deployment.ledger.cancel(job) is None:  # Redis has restarted and forgotten the job
            enter_job(deployment.store, deployment.ledger, record)
            deployment.ledger.cancel(job)
        settled = settle_job(deployment.store, deployment.ledger, record)
        settled = settled or load_state(deployment.store, record)  # another process has just settled it
        if settled is None and find_progress(deployment, caller.tenant, job).state == "cancelled":
            raise Unavailable("the job is cancelled, but the store does not record it yet; cancel it again")
    return job_details(deployment, record)


@router.delete("/{job}", summary="Delete a job")
def delete(
    job: str,
    caller: Generator,
    deployment: DeploymentDep,
    for_good: Annotated[bool, Query(description="Skip the trash: delete the images within minutes.")] = False,
) -> DeletionView:
    """Delete an ended job with its images. For seven days the job can be restored; then it is gone for good.

    Answers 409 for a job that has not ended. The job's idempotency key orders nothing for seven days.
    """
    check_id(job)
    deletion = DeletedJobs(deployment.store).delete(deployment.ledger, caller.tenant, job, for_good=for_good)
    return DeletionView.of(deletion)


@router.post("/{job}/restore", summary="Restore a deleted job")
def restore(job: str, caller: Generator, deployment: DeploymentDep) -> JobDetails:
    """Restore a job that was deleted in the last seven days. A job that is not deleted does not change."""
    check_id(job)
    return job_details(
        deployment, DeletedJobs(deployment.store).restore(deployment.ledger, caller.tenant, job)
    )


def _cursor(job: Progress) -> str:
    """Return the cursor for the page after this job.

    The cursor contains the job's creation time, so that the cursor works even after the job is deleted.
    """
    return f"{job.id}-{job.created:.6f}"


def _wanted_values(filters: tuple[str, ...]) -> dict[str, set[str]]:
    """Parse filters ``NAME=VALUE``; return the allowed values by attribute. Raises ProdgenError."""
    wanted = dict[str, set[str]]()
    for text in filters:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ProdgenError(
                f"{text!r} is no filter; write NAME=VALUE, such as colour=#000080", param="attribute"
            )
        wanted.setdefault(name, set()).add(value)
    return wanted


def image_view(deployment: Deployment, line: ManifestLine, language: Language | None = None) -> ImageView:
    """Return the view of an image, with a description if ``language`` is given."""
    description = describe_line(line, language) if language else None
    url = None if line.deleted else link(deployment, line)
    return ImageView(**dict(line), url=url, description=description)


def link(deployment: Deployment, line: ManifestLine, seconds: int | None = None) -> str:
    """Return a link that works for ``seconds`` (default: ``link_seconds`` of the settings).

    The link leads to the store, or to the gateway if the image is a part of a tar.
    """
    settings = deployment.settings
    seconds = seconds or settings.link_seconds
    if line.object is None:
        raise ProdgenError(f"image {line.index} names no object")
    if line.offset is None or line.length is None:
        return deployment.store.link(line.object, seconds, line.file)
    secret = settings.secret_key.get_secret_value()
    place = (line.object, seconds, line.file, line.offset, line.length)
    return sign(secret, settings.public_url, *place)
