"""Files brought by callers, kept by the sha256 of their content."""

import hashlib
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from api_gateway.auth import Uploader
from api_gateway.errors import TooLarge, UnsupportedMedia
from api_gateway.services import Services, services
from prodgen.datasets.chunks import chunk_sizes
from prodgen.datasets.listing import Sha256
from prodgen.errors import ProdgenError
from prodgen.jobs.order_file import MAX_BYTES
from prodgen.storage import keys

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])


class UploadView(BaseModel):
    """An uploaded file; ``id`` goes into an order's ``upload``."""

    id: str
    object: Literal["upload"] = "upload"
    bytes: int


class Wanted(BaseModel):
    """Files that the caller could upload, by the sha256 of their content."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Sha256] = Field(min_length=1, max_length=10_000)


class MissingView(BaseModel):
    """Those that are not there yet."""

    missing: list[str]


@router.post(
    "",
    status_code=201,
    summary="Upload an order's file",
    openapi_extra={
        "requestBody": {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def upload(
    request: Request, caller: Uploader, here: Annotated[Services, Depends(services)]
) -> UploadView:
    """Send a CSV or JSONL of SKUs as the body: `curl --data-binary @order.csv`. At most 64 MiB."""
    kind = request.headers.get("content-type", "application/octet-stream").split(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        raise UnsupportedMedia("send the file itself as the body (curl --data-binary @FILE), not a form")
    with NamedTemporaryFile(prefix="prodgen-upload-") as file:
        digest, size = await _receive(request, file)
        await run_sync(here.store.put_file, keys.upload(caller.tenant, digest), Path(file.name), kind)
    return UploadView(id=digest, bytes=size)


@router.post("/missing", summary="See which files need not be sent")
def missing(wanted: Wanted, caller: Uploader, here: Annotated[Services, Depends(services)]) -> MissingView:
    """Which of so many sha256 are of no upload of yours. Ask in their order: each question costs less."""
    there = chunk_sizes(here.store, caller.tenant, wanted.ids)
    return MissingView(missing=[digest for digest in wanted.ids if digest not in there])


async def _receive(request: Request, file: IO[bytes]) -> tuple[str, int]:
    """The sha256 and the size of the body, which is in ``file`` afterwards."""
    sha, size = hashlib.sha256(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BYTES:
                raise TooLarge(f"the file is larger than {MAX_BYTES >> 20} MiB; split it")
            sha.update(chunk)
            file.write(chunk)
    except ClientDisconnect:
        raise ProdgenError("the upload broke off", param="body") from None
    if not size:
        raise ProdgenError("the body is empty; send the file itself", param="body")
    file.flush()
    return sha.hexdigest(), size
