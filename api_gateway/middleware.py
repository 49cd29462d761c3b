"""Middleware of every request: the access log, security headers, and limits for bodies."""

import logging
import re
import time
from contextlib import AbstractContextManager, nullcontext

import anyio
from asgi_correlation_id import correlation_id
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_gateway.metrics import Metrics
from api_gateway.requests import ID
from prodgen import logs, traces

access = logging.getLogger("prodgen.access")

MAX_JSON = 1 << 20
"""Largest size of a JSON body in bytes. A larger order must be sent as an upload."""
IDLE_SECONDS = 20.0
"""Longest time in seconds between two parts of a request body."""
JSON_SECONDS, UPLOAD_SECONDS = 60.0, 900.0
"""Longest time in seconds that a whole JSON body may take, and that a whole upload may take."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PAGE_POLICY = "default-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
"""The Content-Security-Policy of the documentation pages: scripts and styles come from the gateway only."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_request_id(text: str) -> bool:
    """Return whether a caller's ``X-Request-ID`` is usable as the id of the request."""
    return bool(_REQUEST_ID.fullmatch(text))


async def bind_ids(request: Request) -> None:
    """Add the job or the run that the path names to all log lines of the request."""
    parameters = request.path_params
    logs.bind(**{n: parameters[n] for n in ("job", "run") if ID.fullmatch(parameters.get(n, ""))})


class AccessLog:
    """Log and count each request, and make each request of the API a span.

    The log line has no query, because a query may contain the signature of a link. A route that queues a job
    or a run puts its id into ``request.state.job`` or ``request.state.run``, for the log line.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        logs.bind(request_id=correlation_id.get())
        start, status = time.perf_counter(), 500

        async def note_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        with self._span(scope):
            try:
                await self._app(scope, receive, note_status)
            finally:
                self._record(scope, status, time.perf_counter() - start)

    def _span(self, scope: Scope) -> AbstractContextManager[None]:
        # FastAPI's own spans would have the query, which may contain the signature of a link.
        if not scope["path"].startswith("/v1/"):
            return nullcontext()
        # The caller may be a stranger, who must neither write into another trace nor decide what is recorded.
        callers = Headers(scope=scope).getlist("traceparent")[:1]
        attributes = {"request_id": correlation_id.get()}
        return traces.span("request", None, attributes, links=callers, server=True)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.count(scope["method"], route, status, seconds)
        traces.describe_request(scope["method"], route, status)
        state, client = scope.get("state", {}), scope.get("client")
        logs.bind(job=state.get("job"), run=state.get("run"))
        fields = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "client": client and client[0],
        }
        access.info("%s %r %d", scope["method"], scope["path"], status, extra=fields)


class SecurityHeaders:
    """Add security headers to each response, unless the route has set them.

    A browser then does not run the content, show it in a frame of another page, or guess its type.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, add_headers)


class BodyLimits:
    """Answer 413 if a request body is too large, and 408 if it arrives too slowly.

    Routes at the paths in ``larger`` may take longer to receive a body, and check its size themselves.
    """

    def __init__(self, app: ASGIApp, larger: tuple[str, ...]) -> None:
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        larger = scope["path"] in self._larger
        seconds = UPLOAD_SECONDS if larger else JSON_SECONDS
        received, more, deadline = 0, True, time.monotonic() + seconds

        async def receive_limited() -> Message:
            nonlocal received, more
            if not more:  # the route waits for the client to disconnect
                return await receive()
            left = deadline - time.monotonic()
            try:
                with anyio.fail_after(max(0.0, min(IDLE_SECONDS, left))):
                    message = await receive()
            except TimeoutError:
                raise _too_slow(left < IDLE_SECONDS, seconds) from None
            more = message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > MAX_JSON and not larger:
                raise HTTPException(
                    413, "the body is larger than 1 MiB; send many SKUs as a file to /v1/uploads"
                )
            return message

        await self._app(scope, receive_limited, send)


def _too_slow(in_all: bool, seconds: float) -> HTTPException:
    what = f"took more than {seconds:.0f} seconds" if in_all else f"paused for {IDLE_SECONDS:.0f} seconds"
    return HTTPException(408, f"the body {what}; send the request again", {"Connection": "close"})
