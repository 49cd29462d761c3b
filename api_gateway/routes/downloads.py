"""Downloads of an ended job: one archive, sprite sheets, shards for webdataset, and proofs of its images."""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from api_gateway import ranges
from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.lookup import find_job_record, find_progress
from api_gateway.requests import AfterNumber, Limit, StrictRoute
from api_gateway.schemas import Page, ShardView, SheetView
from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.jobs.archive import Archive
from prodgen.jobs.manifests import published_page
from prodgen.jobs.proofs import prove
from prodgen.jobs.record import JobRecord, load_state
from prodgen.jobs.sprite_sheets import draw_sheet, layout_of, lines_on
from prodgen.spec.merkle import InclusionProof
from prodgen.spec.sprite_sheet import atlas, sheet_name
from prodgen.storage import keys
from prodgen.storage.links import content_disposition

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

MAX_SHARD = 10**9
_SHEET = re.compile(r"sprites-([0-9]{1,9})\.(png|json)")


@router.get(
    "/{job}/archive",
    summary="Download a job's images as one file",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-tar": {}}}, 206: {"content": {"application/x-tar": {}}}},
)
def archive(
    job: str,
    request: Request,
    caller: Generator,
    deployment: DeploymentDep,
    newest: Annotated[bool, Query(description="Send what replaces a rejected image in its place.")] = False,
) -> Response:
    """Send a tar of all images by index, then their `manifest.jsonl`. Answers 409 until the job has ended.

    The bytes are always the same, so that `Range` resumes a download that broke off. With `newest`, another
    rejection changes the bytes and the `ETag`; the header `If-Range` keeps both from being mixed.
    """
    record = _ended(deployment, caller.tenant, job, "archive is")
    found = Archive(deployment.store, record, newest)
    headers = {"ETag": f'"{found.tag}"', "Content-Disposition": content_disposition(f"{job}.tar")}
    return ranges.send(request, found.size, found.read, headers, "application/x-tar")


@router.get("/{job}/sheets", summary="List a job's sprite sheets")
def sheets(
    job: str,
    caller: Generator,
    deployment: DeploymentDep,
    limit: Limit = 100,
    after: AfterNumber = -1,
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
    limit: Limit = 100,
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


@router.get("/{job}/images/{index}/proof", summary="Prove that an image is one of a job's")
def proof(
    job: str, index: Annotated[int, Path(ge=0)], caller: Generator, deployment: DeploymentDep
) -> InclusionProof:
    """Return the path from an image of an ended job to the job's Merkle root, as RFC 9162 defines it.

    With the image, this proof and the root, a client can check that the image is one of the job's, without
    the other images. Answers 409 for a job without a root: one that runs, or was cancelled.
    """
    return prove(deployment.store, _ended(deployment, caller.tenant, job, "proofs are"), index)


def _ended(deployment: Deployment, tenant: str, job: str, what: str) -> JobRecord:
    """Return the record of a job. If the job has not ended, raises Conflict with ``what`` in its message."""
    record = find_job_record(deployment, tenant, job)
    if load_state(deployment.store, record) is None:
        state = find_progress(deployment, tenant, job).state
        raise Conflict(f"job {job} is {state}; its {what} there when the job has ended", param="job")
    return record
