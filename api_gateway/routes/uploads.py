"""Uploads: files of a tenant, each stored under the sha256 of its content."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Literal

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from api_gateway import ranges
from api_gateway.auth import Generator, Uploader
from api_gateway.deployment import UPLOADS_PER_TENANT, Deployment, DeploymentDep
from api_gateway.requests import StrictRoute
from api_gateway.routes.objects import USER_CONTENT
from api_gateway.schemas import RemovalView
from prodgen.datasets.listing import Sha256, find_chunks
from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.jobs.heads import HEAD
from prodgen.jobs.mattes import stored_matte
from prodgen.jobs.order_file import MAX_BYTES
from prodgen.jobs.quotas import check_stored
from prodgen.jobs.uploads import delete_upload
from prodgen.registry.versions import resolve
from prodgen.spec.photograph import picture_type
from prodgen.storage import keys
from prodgen.storage.links import content_disposition
from prodgen.tenants import grant_of

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=StrictRoute)

WAIT_SECONDS = 10.0
"""Longest time in seconds that an upload waits while its tenant has `UPLOADS_PER_TENANT` others."""


class UploadView(BaseModel):
    """An uploaded file. ``id`` is the sha256 of the content; an order names the file by ``id``."""

    id: str
    object: Literal["upload"] = "upload"
    bytes: int


class Wanted(BaseModel, extra="forbid"):
    """The sha256 of each file that the caller wants to upload."""

    ids: list[Sha256] = Field(min_length=1, max_length=10_000)


class MissingView(BaseModel):
    """The sha256 of each file that is not uploaded yet."""

    missing: list[str]


@router.post(
    "",
    status_code=201,
    summary="Upload a file",
    openapi_extra={
        "requestBody": {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def upload(request: Request, caller: Uploader, deployment: DeploymentDep) -> UploadView:
    """Send the file itself as the body, at most 64 MiB: `curl --data-binary @order.csv`. A file is a CSV or
    JSONL of SKUs for an order, or a part of a data set."""
    kind = request.headers.get("content-type", "application/octet-stream").split(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        raise HTTPException(415, "send the file itself as the body (curl --data-binary @FILE), not a form")
    async with upload_slot(deployment, caller.tenant):
        with NamedTemporaryFile(prefix="prodgen-upload-") as file:
            digest, size = await _receive(request, file)
            key = keys.upload(caller.tenant, digest)
            await run_sync(deployment.store.put_file, key, Path(file.name), kind)
    return UploadView(id=digest, bytes=size)


@asynccontextmanager
async def upload_slot(deployment: Deployment, tenant: str) -> AsyncIterator[None]:
    """Reserve one of the tenant's slots for uploads within the block.

    Raises Forbidden if the tenant may store no more, and Unavailable if no slot is free after `WAIT_SECONDS`.
    """
    grant = await run_sync(grant_of, deployment.store, tenant)
    await run_sync(check_stored, deployment.ledger, tenant, grant)
    slots = deployment.upload_slots[tenant]
    try:
        with anyio.fail_after(WAIT_SECONDS):
            await slots.acquire()
    except TimeoutError:
        raise Unavailable(
            f"{UPLOADS_PER_TENANT} uploads of yours are in progress, and one tenant may have no more; "
            "send this file again when one has ended"
        ) from None
    try:
        yield
    finally:
        slots.release()


@router.post("/missing", summary="Find out which files to upload")
def missing(wanted: Wanted, caller: Uploader, deployment: DeploymentDep) -> MissingView:
    """Return which of the given sha256 you have not uploaded yet. Sorted ids are checked fastest."""
    there = find_chunks(deployment.store, caller.tenant, wanted.ids)
    return MissingView(missing=[digest for digest in wanted.ids if digest not in there])


@router.head("/{digest}", include_in_schema=False)
@router.get("/{digest}", summary="Download an upload", response_class=StreamingResponse)
def download(digest: Sha256, request: Request, caller: Uploader, deployment: DeploymentDep) -> Response:
    """Send an uploaded file of yours, or the part of it that the header `Range` names."""
    key = keys.upload(caller.tenant, digest)
    try:
        size, head = deployment.store.stat(key).size, deployment.store.get(key, 0, HEAD)
    except NotFound:
        raise NotFound(f"there is no upload {digest}", param="upload") from None
    headers = {**USER_CONTENT, "Content-Disposition": content_disposition(digest)}

    read = partial(ranges.pieces, deployment.store, key)
    return ranges.send(request, size, read, headers, picture_type(head) or "application/octet-stream")


@router.get("/{digest}/matte", summary="Get the matte of a photograph", response_class=Response)
def matte(digest: Sha256, model: str, caller: Generator, deployment: DeploymentDep) -> Response:
    """Send the matte by which a model has cut the product out of an uploaded photograph: a grey PNG.

    Correct it, upload it, and name it as `matte` beside `photo` in an order. Answers 404 if the model has
    made no picture of the photograph yet, or found no product in it.
    """
    version = resolve(deployment.store, model, caller.tenant)
    try:
        png = deployment.store.get(keys.cut_out(caller.tenant, version.version, digest))
    except NotFound:
        raise NotFound(
            f"{version.id} has made no picture of {digest} yet; order one first", param="upload"
        ) from None
    levels = stored_matte(png)
    if levels is None:
        raise NotFound(f"{version.id} found no product in {digest}", param="upload")
    return Response(levels, media_type="image/png")


@router.delete("/{digest}", summary="Delete an upload")
def delete(digest: Sha256, caller: Uploader, deployment: DeploymentDep) -> RemovalView:
    """Delete an uploaded file, such as a photograph, with the cut-outs that were made of it.

    Answers 409 while a data set, or an order that has not ended, needs the file. The pictures
    that were made of a photograph stay until their order is deleted.
    """
    size = delete_upload(deployment.store, deployment.ledger, caller.tenant, digest)
    return RemovalView(removed=[digest], bytes=size)


async def _receive(request: Request, file: IO[bytes]) -> tuple[str, int]:
    """Write the request's body into ``file``; return the sha256 and the size in bytes.

    Raises HTTPException 413 if the body is too large, and ProdgenError if it is empty or the client leaves.
    """
    sha, size = hashlib.sha256(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BYTES:
                raise HTTPException(413, f"the file is larger than {MAX_BYTES >> 20} MiB; split it")
            sha.update(chunk)
            file.write(chunk)
        file.flush()
    except ClientDisconnect:
        raise ProdgenError("the upload broke off", param="body") from None
    if not size:
        raise ProdgenError("the body is empty; send the file itself", param="body")
    return sha.hexdigest(), size
