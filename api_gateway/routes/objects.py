"""Downloads by signed link: the objects of a local store, and the images within tars of any store."""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from api_gateway import ranges
from api_gateway.deployment import DeploymentDep
from api_gateway.requests import StrictRoute
from prodgen.storage.links import content_disposition, verify

router = APIRouter(prefix="/v1/objects", tags=["images"], route_class=StrictRoute)

_TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "avif": "image/avif",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "tar": "application/x-tar",
}
USER_CONTENT = {
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
}
"""Headers of responses with content from users. A browser saves the content and never runs it."""


@router.head("/{key:path}", include_in_schema=False)
@router.get("/{key:path}", summary="Download by signed link", response_class=StreamingResponse)
def download(key: str, request: Request, deployment: DeploymentDep) -> Response:
    """Send the bytes that the link was signed for, or the part of them that the header `Range` names."""
    signed = verify(deployment.settings.secret_key.get_secret_value(), key, request.query_params)
    size = signed.length
    if size is None or request.method == "HEAD":  # HEAD reads nothing that could raise NotFound
        stored = deployment.store.stat(key).size
        size = stored - signed.offset if size is None else size
    headers = {**USER_CONTENT, "Content-Disposition": content_disposition(signed.file_name)}
    kind = _TYPES.get(signed.file_name.rpartition(".")[2].lower(), "application/octet-stream")

    def read(start: int, stop: int) -> Iterator[bytes]:
        return ranges.pieces(deployment.store, key, signed.offset + start, signed.offset + stop)

    return ranges.send(request, size, read, headers, kind)
