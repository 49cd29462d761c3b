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
"""Largest number of files, and largest number of other fields, in a form."""
_LISTED = {"image[]": "image"}


def describe_form(fields: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI description of a request body that is a form with the fields of the model."""
    return {"requestBody": {"content": {"multipart/form-data": {"schema": fields.model_json_schema()}}}}


async def read_form(
    request: Request,
    deployment: Deployment,
    tenant: str,
    kind: type[Fields],
    takes: Mapping[str, Callable[[int, bytes], Taken]],
) -> tuple[Fields, dict[str, list[Taken]]]:
    """Read the form in the request's body; return its text fields, and the results of ``takes`` by file name.

    ``takes`` has a function for each file name that the form may use. The function gets the number of the
    file (from 1 for each name) and the bytes. ``takes`` must have ``image``; the form may also call such a
    file ``image[]``. Raises ProdgenError for a body that is not such a form, and HTTPException for a body
    that is too large or has no Content-Length.
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
    """Store a picture from the form field ``name`` as an upload, and return its digest.

    Raises ProdgenError, which names the field and ``number``, if the file is no usable picture or mask.
    """
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
