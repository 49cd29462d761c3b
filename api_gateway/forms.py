"""Read forms of multipart/form-data whose files are photographs, and store the photographs as uploads."""

import hashlib
from typing import TypeVar

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

PHOTOGRAPHS, FIELDS = 16, 32
"""The most files and the most other fields of a form."""
_NAMES = ("image", "image[]")


async def read_form(
    request: Request, deployment: Deployment, tenant: str, kind: type[Fields]
) -> tuple[Fields, list[str]]:
    """Return the text fields of a form, and the digests of its files ``image`` or ``image[]``.

    Stores the files as uploads of the tenant. Raises ProdgenError for a body that is no such form, and
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
                "image is missing; send a photograph in a form of multipart/form-data", param="image"
            )
        try:
            fields = kind.model_validate({n: text for n, text in form.items() if isinstance(text, str)})
        except ValidationError as error:
            raise explain(error) from None
        digests = []
        for number, (_, file) in enumerate(files, 1):
            digests.append(await run_sync(_store, deployment, tenant, number, await file.read()))
    return fields, digests


def _store(deployment: Deployment, tenant: str, number: int, data: bytes) -> str:
    """Store photograph ``number`` of a form, and return its digest. Raises ProdgenError."""
    if fault := picture_fault(data):
        raise ProdgenError(f"image {number} {fault}", param="image")
    digest = hashlib.sha256(data).hexdigest()
    deployment.store.put(keys.upload(tenant, digest), data)
    return digest
