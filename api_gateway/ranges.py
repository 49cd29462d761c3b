"""Responses with bytes: the whole content, or the part that the request header ``Range`` names."""

import re
from collections.abc import Callable, Iterator
from itertools import chain

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from api_gateway.errors import answer
from prodgen.storage.base import Store

_PIECE = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def send(
    request: Request,
    size: int,
    read: Callable[[int, int], Iterator[bytes]],
    headers: dict[str, str],
    kind: str,
) -> Response:
    """Return the response with the part of a content of ``size`` bytes that the request asks for.

    ``read(start, stop)`` yields the bytes [start, stop). Its first piece is read before the response begins,
    so that a missing object gives an error status. With the header ``If-Range``, the response has a part only
    if that header equals ``headers["ETag"]``.
    """
    headers = {**headers, "Accept-Ranges": "bytes"}
    if request.method == "HEAD":  # HEAD has no ranges
        return Response(None, 200, {**headers, "Content-Length": str(size)}, kind)
    start, stop, status = 0, size, 200
    wanted = _range(request.headers.get("range", ""), size)
    if wanted and request.headers.get("if-range", headers.get("ETag")) == headers.get("ETag"):
        start, stop = wanted
        if start >= stop:
            message = f"the object has {size} bytes; the range begins after its end"
            return answer("range_not_satisfiable", message, headers={"Content-Range": f"bytes */{size}"})
        status, headers["Content-Range"] = 206, f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    parts = read(start, stop)
    return StreamingResponse(chain([next(parts, b"")], parts), status, headers, kind)


def pieces(store: Store, key: str, start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes [start, stop) of an object, up to a MiB at a time. Raises NotFound."""
    for offset in range(start, stop, _PIECE):
        yield store.get(key, offset, min(_PIECE, stop - offset))


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Return (start, stop) if the header ``Range`` names one byte range; else None, which means all bytes."""
    match = _RANGE.fullmatch(header)
    if match is None or header == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
