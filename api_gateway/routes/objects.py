"""Downloads by signed link: the objects of a local store, and the images within tars of any store."""

import re
from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from api_gateway.deployment import DeploymentDep
from api_gateway.errors import answer
from api_gateway.requests import StrictRoute
from prodgen.storage.links import content_disposition, verify

router = APIRouter(prefix="/v1/objects", tags=["images"], route_class=StrictRoute)

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
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
}
"""The headers of each answer. They make browsers save the content of users, and never run it."""


@router.head("/{key:path}", include_in_schema=False)
@router.get("/{key:path}", summary="Download by signed link", response_class=StreamingResponse)
def download(key: str, request: Request, deployment: DeploymentDep) -> Response:
    """Send the bytes that the link was signed for, or the part of them that the header `Range` names."""
    signed = verify(deployment.settings.secret_key.get_secret_value(), key, request.query_params)
    size = deployment.store.stat(key).size - signed.offset if signed.length is None else signed.length
    start, stop = 0, size
    status, headers = 200, {**_HEADERS, "Content-Disposition": content_disposition(signed.file_name)}
    kind = _TYPES.get(signed.file_name.rpartition(".")[2].lower(), "application/octet-stream")
    if request.method == "HEAD":  # HEAD has no ranges
        deployment.store.stat(key)  # raises NotFound: the length of a member comes from the link
        return Response(None, status, {**headers, "Content-Length": str(size)}, kind)
    if wanted := _range(request.headers.get("range", ""), size):
        start, stop = wanted
        if start >= stop:
            message = f"the object has {size} bytes; the range begins after its end"
            return answer("range_not_satisfiable", message, headers={"Content-Range": f"bytes */{size}"})
        status, headers["Content-Range"] = 206, f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    first = deployment.store.get(key, signed.offset + start, min(_CHUNK, stop - start))

    def body() -> Iterator[bytes]:
        yield first
        for offset in range(start + _CHUNK, stop, _CHUNK):
            yield deployment.store.get(key, signed.offset + offset, min(_CHUNK, stop - offset))

    return StreamingResponse(body(), status, headers, kind)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Return (start, stop) of a single byte range, or None for any other header: send all bytes."""
    match = _RANGE.fullmatch(header)
    if match is None or header == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
