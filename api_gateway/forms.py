"""Read forms of multipart/form-data whose files are pictures."""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from api_gateway.deployment import Deployment
from api_gateway.routes.uploads import upload_slot
from prodgen.errors import ProdgenError
from prodgen.jobs.order_file import MAX_BYTES
from prodgen.spec.photograph import picture_fault
from prodgen.spec.validation_errors import explain
from prodgen.storage import keys

Fields = TypeVar("Fields", bound=BaseModel)
Taken = TypeVar("Taken")

PHOTOGRAPHS, FIELDS = 16, 32
"""The most files and the most other fields of a form."""
_NAMES = ("image", "image[]")


def describe_form(fields: type[BaseModel]) -> dict[str, Any]:
    """Return the part of an OpenAPI description that says that a route takes a form with these fields."""
    return {"requestBody": {"content": {"multipart/form-data": {"schema": fields.model_json_schema()}}}}


async def read_form(
    request: Request,
    deployment: Deployment,
    tenant: str,
    kind: type[Fields],
    take: Callable[[int, bytes], Taken],
) -> tuple[Fields, list[Taken]]:
    """Return the text fields of a form, and what ``take`` returns for each of its files, numbered from 1.

    The files are named ``image`` or ``image[]``. Raises ProdgenError for a body that is no such form, and
    HTTPException for one that is too large or does not say its size.
    """
    size = request.headers.get("content-length", "")
    if not size.isdecimal():
        raise HTTPException(411, "the form must say its size in the header Content-Length")
    if int(size) > MAX_BYTES:
        raise HTTPException(413, f"the form is larger than {MAX_BYTES >> 20} MiB; send fewer photographs")
    async with (
        upload_slot(deployment, tenant),
        request.form(max_files=PHOTOGRAPHS, max_fields=FIELDS) as form,
    ):
        files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
        for name, _ in files:
            if name not in _NAMES:
                raise ProdgenError(f"{name} is not taken; a product is found in its photograph", param=name)
        if not files:
            raise ProdgenError(
                "image is missing; send a picture in a form of multipart/form-data", param="image"
            )
        try:
            fields = kind.model_validate({n: text for n, text in form.items() if isinstance(text, str)})
        except ValidationError as error:
            raise explain(error) from None
        taken = []
        for number, (_, file) in enumerate(files, 1):
            taken.append(await run_sync(take, number, await file.read()))
    return fields, taken


def store_photograph(deployment: Deployment, tenant: str, number: int, data: bytes) -> str:
    """Store photograph ``number`` of a form as an upload, and return its digest. Raises ProdgenError."""
    if fault := picture_fault(data):
        raise ProdgenError(f"image {number} {fault}", param="image")
    digest = hashlib.sha256(data).hexdigest()
    deployment.store.put(keys.upload(tenant, digest), data)
    return digest
