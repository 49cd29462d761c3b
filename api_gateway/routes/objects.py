"""Downloads by signed link: objects of a local store, and members of tars wherever they lie."""

import re
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from api_gateway.errors import answer
from api_gateway.services import Services, services
from prodgen.storage.links import content_disposition, verify

router = APIRouter(prefix="/v1/objects", tags=["images"])

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "tar": "application/x-tar",
}
_HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""What a browser is told of content that users made: it is a download and nothing else."""


@router.head("/{key:path}", include_in_schema=False)
@router.get("/{key:path}", summary="Download by signed link", response_class=StreamingResponse)
def download(key: str, request: Request, here: Annotated[Services, Depends(services)]) -> Response:
    """The bytes that the link was signed for, or the range of them that `Range` asks for."""
    signed = verify(here.settings.secret_key.get_secret_value(), key, request.query_params)
    size = here.store.stat(key).size - signed.offset if signed.length is None else signed.length
    start, stop = 0, size
    status, headers = 200, {**_HEADERS, "Content-Disposition": content_disposition(signed.file_name)}
    kind = _TYPES.get(signed.file_name.rpartition(".")[2].lower(), "application/octet-stream")
    if request.method == "HEAD":  # which knows no ranges
        here.store.stat(key)  # the length of a tar's member was told by the link alone
        return Response(None, status, {**headers, "Content-Length": str(size)}, kind)
    if wanted := _wanted(request.headers.get("range", ""), size):
        start, stop = wanted
        if start >= stop:
            message = f"the object has {size} bytes, and the range lies beyond"
            return answer("range_not_satisfiable", message, headers={"Content-Range": f"bytes */{size}"})
        status, headers["Content-Range"] = 206, f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    first = here.store.get(key, signed.offset + start, min(_CHUNK, stop - start))

    def body() -> Iterator[bytes]:
        yield first
        for offset in range(start + _CHUNK, stop, _CHUNK):
            yield here.store.get(key, signed.offset + offset, min(_CHUNK, stop - offset))

    return StreamingResponse(body(), status, headers, kind)


def _wanted(header: str, size: int) -> tuple[int, int] | None:
    """(start, stop) of a single byte range; None for anything else, which means all."""
    match = _RANGE.fullmatch(header)
    if match is None or header == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
