"""Read forms of multipart/form-data that hold photographs, and store the photographs as uploads."""

import hashlib

from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile

from api_gateway.deployment import Deployment
from api_gateway.routes.uploads import upload_slot
from prodgen.access import ApiKey
from prodgen.errors import ProdgenError
from prodgen.jobs.order_file import MAX_BYTES
from prodgen.jobs.photographs import picture_fault
from prodgen.jobs.quotas import check_stored
from prodgen.storage import keys
from prodgen.tenants import grant_of

PHOTOGRAPHS, FIELDS = 16, 32
"""The most files and the most other fields of a form."""
_NAMES = ("image", "image[]")


async def read_form(request: Request) -> tuple[dict[str, str], list[bytes]]:
    """Return the text fields of a form, and its files ``image`` or ``image[]``.

    Raises ProdgenError for a body that is no such form, and for other files. Raises HTTPException for a form
    that is too large or does not say its size.
    """
    size = request.headers.get("content-length", "")
    if not size.isdecimal():
        raise HTTPException(411, "the form must say its size in the header Content-Length")
    if int(size) > MAX_BYTES:
        raise HTTPException(413, f"the form is larger than {MAX_BYTES >> 20} MiB; send fewer photographs")
    fields: dict[str, str] = {}
    photographs = []
    async with request.form(max_files=PHOTOGRAPHS, max_fields=FIELDS) as form:
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                fields[name] = value
            elif name in _NAMES:
                photographs.append(await value.read())
            else:
                raise ProdgenError(f"{name} is not taken; a product is found in its photograph", param=name)
    if not photographs:
        raise ProdgenError(
            "image is missing; send a photograph in a form of multipart/form-data", param="image"
        )
    return fields, photographs


async def store_photographs(deployment: Deployment, caller: ApiKey, photographs: list[bytes]) -> list[str]:
    """Store photographs as uploads of the caller's tenant, and return their digests. Raises ProdgenError."""
    for number, data in enumerate(photographs, 1):
        if fault := picture_fault(data):
            raise ProdgenError(f"image {number} {fault}", param="image")

    def store() -> list[str]:
        check_stored(deployment.ledger, caller.tenant, grant_of(deployment.store, caller.tenant))
        digests = [hashlib.sha256(data).hexdigest() for data in photographs]
        for digest, data in zip(digests, photographs, strict=True):
            deployment.store.put(keys.upload(caller.tenant, digest), data)
        return digests

    async with upload_slot(deployment, caller.tenant):
        return await run_sync(store)
