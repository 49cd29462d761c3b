"""Jobs: order images; list, show, follow and cancel the orders; list the images of a job."""

import logging
import re
from typing import Annotated, Any

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, BackgroundTasks, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse

from api_gateway import ranges
from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.event_streams import RESPONSES, Stream
from api_gateway.lookup import check_id, find_job_record, find_progress, job_details
from api_gateway.requests import Cursor, IdempotencyKey, StrictRoute
from api_gateway.schemas import DeletionView, ImageView, JobDetails, JobView, Page, ShardView, SheetView
from prodgen.access import ApiKey
from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.jobs import delivery
from prodgen.jobs.archive import Archive
from prodgen.jobs.control import enter_job
from prodgen.jobs.deletion import delete_job, restore_job
from prodgen.jobs.ending import settle_job
from prodgen.jobs.failures import Failure, failures
from prodgen.jobs.manifests import published_page
from prodgen.jobs.record import JobRecord, load_state
from prodgen.jobs.sprite_sheets import draw_sheet, layout_of, lines_on
from prodgen.jobs.submission import submit
from prodgen.jobs.time_left import time_left
from prodgen.ledger.entries import TERMINAL, Event, Progress, Queue, State
from prodgen.spec.describe import Language, describe_line
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import JobSpec
from prodgen.spec.sprite_sheet import atlas, sheet_name
from prodgen.storage import keys
from prodgen.storage.links import content_disposition, sign

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

log = logging.getLogger("prodgen.gateway")

DOORBELLS = 16
"""The most doorbells that a new job rings. A worker that takes work and has room for more rings again."""
REPEAT_SECONDS = 10.0
"""Seconds without a change of a job after which its state is sent again with its present time left."""
MAX_INDEX = 2**63 - 1
MAX_SHARD = 10**9
_SHEET = re.compile(r"sprites-([0-9]{1,9})\.(png|json)")
SCANS, SCAN = 10, 100
"""The most reads of a filtered list for one page, and the jobs of one read."""


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
    """Return whether the images have no marks. Raises HTTPException if the caller may not order them."""
    unmarked = spec.output.marks == "none"
    if unmarked and not caller.allows("unmarked"):
        raise HTTPException(403, "output.marks 'none' needs an API key with the scope unmarked")
    return unmarked


def place(
    spec: JobSpec, caller: ApiKey, deployment: Deployment, request: Request, idempotency_key: str
) -> tuple[JobRecord, bool]:
    """Place an order and count its images; ring no doorbell. Returns its job, and whether the job is new."""
    services = (deployment.store, deployment.ledger, deployment.settings)
    record, created = submit(*services, caller.tenant, spec, idempotency_key, request_id=correlation_id.get())
    request.state.job = record.id
    if created:
        request.app.state.metrics.images.labels(record.spec.priority).inc(record.total)
    return record, created


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
    present state, when there is no earlier event to send, and every ten seconds without a change.
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

    return stream.respond(events, present, TERMINAL, REPEAT_SECONDS)


@router.get("/{job}/images", summary="List a job's images")
def images(
    job: str,
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=-1, le=MAX_INDEX, description="The `next` of the page before.")] = -1,
    language: Language | None = None,
    attribute: Annotated[
        tuple[str, ...],
        Query(description="`NAME=VALUE`, as images have it. Several values of a name are alternatives."),
    ] = (),
    untrusted: Annotated[bool, Query(description="List only pictures with `review` or `findings`.")] = False,
    newest: Annotated[bool, Query(description="List what replaces a rejected image in its place.")] = False,
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
        lines, following = delivery.page(deployment.store, record, after, limit, newest=newest)
    return Page(
        data=[
            ImageView(
                **dict(line),
                url=link(deployment, line),
                description=describe_line(line, language) if language else None,
            )
            for line in lines
        ],
        next=None if following is None else str(following),
    )


@router.get("/{job}/failures", summary="List a job's failed images")
def list_failures(
    job: str,
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=-1, le=MAX_INDEX, description="The `next` of the page before.")] = -1,
) -> Page[Failure]:
    """List the images that could not be made by index, and why. A retry of the job tries them again."""
    record = find_job_record(deployment, caller.tenant, job)
    found, following = failures(deployment.store, deployment.ledger, record, after, limit)
    return Page(data=found, next=None if following is None else str(following))


@router.get(
    "/{job}/archive",
    summary="Download a job's images as one file",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-tar": {}}}, 206: {"content": {"application/x-tar": {}}}},
)
def archive(job: str, request: Request, caller: Generator, deployment: DeploymentDep) -> Response:
    """Send a tar of all images by index, then their `manifest.jsonl`. Answers 409 until the job has ended.

    The bytes are always the same, so that `Range` resumes a download that broke off.
    """
    record = _ended(deployment, caller.tenant, job, "archive is")
    found = Archive(deployment.store, record)
    headers = {"ETag": f'"{job}-{found.size}"', "Content-Disposition": content_disposition(f"{job}.tar")}
    return ranges.send(request, found.size, found.read, headers, "application/x-tar")


@router.get("/{job}/sheets", summary="List a job's sprite sheets")
def sheets(
    job: str,
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=-1, le=MAX_INDEX, description="The `next` of the page before.")] = -1,
) -> Page[SheetView]:
    """List the sprite sheets of an ended job that was ordered with `output.packaging` `sheet`."""
    record = _ended(deployment, caller.tenant, job, "sprite sheets are")
    layout = layout_of(deployment.store, record)
    last = min(after + limit, layout.sheets - 1)
    views = []
    for number in range(after + 1, last + 1):
        width, height = layout.dimensions(number)
        views.append(SheetView(name=sheet_name(number), width=width, height=height))
    return Page(data=views, next=str(last) if last < layout.sheets - 1 else None)


@router.get(
    "/{job}/sheets/{name}",
    summary="Download a sprite sheet",
    response_class=Response,
    responses={200: {"content": {"image/png": {}, "application/json": {}}}},
)
def sheet(job: str, name: str, caller: Generator, deployment: DeploymentDep) -> Response:
    """Send a sheet (`sprites-0.png`), or its atlas (`sprites-0.json`) in the hash format of TexturePacker."""
    record = _ended(deployment, caller.tenant, job, "sprite sheets are")
    layout, found = layout_of(deployment.store, record), _SHEET.fullmatch(name)
    if found is None or (number := int(found[1])) >= layout.sheets:
        raise NotFound(
            f"job {job} has no file {name!r}; it has sprites-N.png and sprites-N.json, N from 0 to "
            f"{layout.sheets - 1}",
            param="name",
        )
    if found[2] == "png":
        return Response(draw_sheet(deployment.store, record, layout, number), media_type="image/png")
    lines = lines_on(deployment.store, record, layout, number)
    return Response(atlas(layout, number, lines), media_type="application/json")


@router.get("/{job}/shards", summary="List a job's shards for webdataset")
def shards(
    job: str,
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=-1, le=MAX_SHARD, description="The `next` of the page before.")] = -1,
) -> Page[ShardView]:
    """List the tars of an ended job that was ordered with `output.packaging` `webdataset`. Their links need
    no key and expire; a new list has new links."""
    record = _ended(deployment, caller.tenant, job, "shards are")
    if record.spec.output.packaging != "webdataset":
        raise ProdgenError(
            f"job {job} has no shards; order them with output.packaging 'webdataset'", param="job"
        )
    found = published_page(deployment.store, record, after, limit + 1)
    views = []
    for number, manifest in enumerate(found[:limit], after + 1):
        name, key = f"{job}-{number:06d}.tar", keys.job(record.tenant, job, "cells", f"{manifest.folder}.tar")
        url = deployment.store.link(key, deployment.settings.link_seconds, name)
        views.append(ShardView(name=name, images=manifest.images, url=url))
    return Page(data=views, next=str(after + limit) if len(found) > limit else None)


@router.post("/{job}/cancel", summary="Cancel a job")
def cancel(job: str, caller: Generator, deployment: DeploymentDep) -> JobDetails:
    """Stop a job for good. Its finished images stay. A job that has ended does not change."""
    record = find_job_record(deployment, caller.tenant, job)
    if find_progress(deployment, caller.tenant, job).state not in TERMINAL:
        if deployment.ledger.cancel(job) is None:  # Redis has restarted and forgotten the job
            enter_job(deployment.store, deployment.ledger, record)
            deployment.ledger.cancel(job)
        settled = settle_job(deployment.store, deployment.ledger, record)
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
    deletion = delete_job(deployment.store, deployment.ledger, caller.tenant, job, for_good=for_good)
    return DeletionView.of(deletion)


@router.post("/{job}/restore", summary="Restore a deleted job")
def restore(job: str, caller: Generator, deployment: DeploymentDep) -> JobDetails:
    """Restore a job that was deleted in the last seven days. A job that is not deleted does not change."""
    check_id(job)
    return job_details(deployment, restore_job(deployment.store, deployment.ledger, caller.tenant, job))


def _cursor(job: Progress) -> str:
    """Return the cursor of the page after a job. With its time the cursor works after the job is deleted."""
    return f"{job.id}-{job.created:.6f}"


def _wanted_values(filters: tuple[str, ...]) -> dict[str, set[str]]:
    """Return the values that each attribute may have, from texts ``NAME=VALUE``."""
    wanted = dict[str, set[str]]()
    for text in filters:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ProdgenError(
                f"{text!r} is no filter; write NAME=VALUE, such as colour=#000080", param="attribute"
            )
        wanted.setdefault(name, set()).add(value)
    return wanted


def _ended(deployment: Deployment, tenant: str, job: str, what: str) -> JobRecord:
    """Return the record of an ended job. Raises Conflict, which says ``what`` is not there yet."""
    record = find_job_record(deployment, tenant, job)
    if load_state(deployment.store, record) is None:
        state = find_progress(deployment, tenant, job).state
        raise Conflict(f"job {job} is {state}; its {what} there when the job has ended", param="job")
    return record


def link(deployment: Deployment, line: ManifestLine) -> str:
    """Return a link to the store for an image that is an object, or to the gateway for an image in a tar."""
    settings = deployment.settings
    if line.object is None:
        raise ProdgenError(f"image {line.index} names no object")
    if line.offset is None or line.length is None:
        return deployment.store.link(line.object, settings.link_seconds, line.file)
    secret = settings.secret_key.get_secret_value()
    place = (line.object, settings.link_seconds, line.file, line.offset, line.length)
    return sign(secret, settings.public_url, *place)
