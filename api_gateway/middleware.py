"""Around every request: its number, its log line, its figures, and how large it may be."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_gateway.logs import request_id
from api_gateway.metrics import Metrics

access = logging.getLogger("prodgen.access")

MAX_JSON = 1 << 20
"""Bytes of a JSON body. A larger order comes as an upload."""

_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Observed:
    """Numbers each request (``X-Request-ID``, the caller's if it sends one), logs it and counts it.

    The log line has the path but never the query, which holds the signatures of links.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        number = given if _NUMBER.fullmatch(given) else uuid.uuid4().hex
        scope["request_id"] = number
        token = request_id.set(number)
        start, status = time.perf_counter(), 500

        async def numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = number
            await send(message)

        try:
            await self._app(scope, receive, numbered)
        finally:
            self._record(scope, status, time.perf_counter() - start)
            request_id.reset(token)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(scope["method"], route, str(status)).inc()
        self._metrics.seconds.labels(scope["method"], route).observe(seconds)
        fields = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "tenant": scope.get("tenant"),
        }
        access.info("%s %s %d", scope["method"], scope["path"], status, extra=fields)


class Bounded:
    """Refuses bodies of more than `MAX_JSON` bytes, save at ``unbounded`` paths, which do so themselves."""

    def __init__(self, app: ASGIApp, unbounded: tuple[str, ...]) -> None:
        self._app = app
        self._unbounded = unbounded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._unbounded:
            await self._app(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_JSON:
                raise HTTPException(
                    413, "the body is larger than 1 MiB; send many SKUs as a file to /v1/uploads"
                )
            return message

        await self._app(scope, counted, send)
