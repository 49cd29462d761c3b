"""Answers that send bytes: all of them, or the part that the header ``Range`` of the request names."""

import re
from collections.abc import Callable, Iterator
from itertools import chain

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from api_gateway.errors import answer

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def send(
    request: Request,
    size: int,
    read: Callable[[int, int], Iterator[bytes]],
    headers: dict[str, str],
    kind: str,
) -> Response:
    """Return the answer with the wanted part of ``size`` bytes. ``read`` yields the bytes [start, stop).

    Reads the first piece before the answer begins, so that a missing object is a failed request. A request
    with the header ``If-Range`` gets a part only if the header equals ``headers["ETag"]``.
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
    pieces = read(start, stop)
    return StreamingResponse(chain([next(pieces, b"")], pieces), status, headers, kind)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Return (start, stop) of a single byte range, or None for any other header: send all bytes."""
    match = _RANGE.fullmatch(header)
    if match is None or header == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
