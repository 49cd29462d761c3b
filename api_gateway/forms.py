"""Read forms of multipart/form-data whose files are pictures."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from api_gateway.deployment import Deployment
from api_gateway.routes.uploads import upload_slot
from prodgen.errors import ProdgenError
from prodgen.jobs.mattes import decoding
from prodgen.jobs.order_file import MAX_BYTES
from prodgen.spec.matte import mask_fault
from prodgen.spec.photograph import end_fault, picture_fault
from prodgen.spec.validation_errors import explain
from prodgen.storage import keys

Fields = TypeVar("Fields", bound=BaseModel)
Taken = TypeVar("Taken")

PHOTOGRAPHS, FIELDS = 16, 32
"""The most files and the most other fields of a form."""
_LISTED = {"image[]": "image"}


def describe_form(fields: type[BaseModel]) -> dict[str, Any]:
    """Return the part of an OpenAPI description that says that a route takes a form with these fields."""
    return {"requestBody": {"content": {"multipart/form-data": {"schema": fields.model_json_schema()}}}}


async def read_form(
    request: Request,
    deployment: Deployment,
    tenant: str,
    kind: type[Fields],
    takes: Mapping[str, Callable[[int, bytes], Taken]],
) -> tuple[Fields, dict[str, list[Taken]]]:
    """Return the text fields of a form, and what ``takes[name]`` returns for each file of that name.

    ``takes`` has ``image``, whose files may also be named ``image[]``; those of a name are numbered from 1.
    Raises ProdgenError for a body that is no such form, and HTTPException for one that is too large or does
    not say its size.
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
        files: dict[str, list[UploadFile]] = {name: [] for name in takes}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                known = _LISTED.get(name, name)
                if known not in files:
                    raise ProdgenError(f"the file {name} is not taken", param=name)
                files[known].append(value)
        if not files["image"]:
            raise ProdgenError(
                "image is missing; send a picture in a form of multipart/form-data", param="image"
            )
        try:
            fields = kind.model_validate({n: text for n, text in form.items() if isinstance(text, str)})
        except ValidationError as error:
            raise explain(error) from None
        taken: dict[str, list[Taken]] = {name: [] for name in takes}
        for name, listed in files.items():
            for number, file in enumerate(listed, 1):
                taken[name].append(await run_sync(takes[name], number, await file.read()))
    return fields, taken


def store_picture(deployment: Deployment, tenant: str, name: str, number: int, data: bytes) -> str:
    """Store file ``number`` of a form's field as an upload, and return its digest. Raises ProdgenError."""
    if fault := picture_fault(data) or end_fault(data):
        raise ProdgenError(f"{name} {number} {fault}", param=name)
    if name == "mask":
        if number > 1:
            raise ProdgenError("send one mask; it is for the first image", param=name)
        with decoding:
            fault = mask_fault(data)
        if fault:
            raise ProdgenError(f"mask {fault}", param=name)
    digest = hashlib.sha256(data).hexdigest()
    deployment.store.put(keys.upload(tenant, digest), data)
    return digest
