"""The body of every failed request: ``{"error": {"type", "code", "message", "param"}}``."""

import logging
import math
from http.client import responses as phrases
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from prodgen.errors import NoRoom, ProdgenError, TooManyRequests, Unavailable
from prodgen.files import DISK_FULL
from prodgen.jobs.items import MAX_FAULTS
from prodgen.ledger.scripts import translated
from prodgen.spec.validation_errors import explain_errors

log = logging.getLogger("prodgen.gateway")

RETRY_SECONDS = 3
MAX_SENTENCE = 1000
"""Largest number of characters in an error message. A message may quote a long part of the request."""

STATUS = {
    "invalid_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "conflict": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "too_many_requests": 429,
    "internal_error": 500,
    "unavailable": 503,
}
MEANING = {
    "unauthorized": "The request has no API key, or the key is unknown or revoked.",
    "forbidden": "The API key, the link or a limit of the tenant does not allow this request.",
    "method_not_allowed": "The route does not accept this method.",
    "timeout": "The body of the request arrived too slowly.",
    "too_large": "The body is larger than the route accepts.",
    "unsupported_media_type": "The route does not accept a body of this kind.",
    "range_not_satisfiable": "The wanted range begins after the end of the object.",
    "internal_error": "The gateway has failed. Its log explains why, under the id of the request.",
}
"""The meaning of these error codes. For other codes, see the docstring of the ProdgenError subclass."""
_CODE = {status: code for code, status in STATUS.items()}


_TYPE = {
    "unauthorized": "authentication_error",
    "forbidden": "permission_error",
    "too_many_requests": "rate_limit_error",
    "internal_error": "server_error",
    "unavailable": "server_error",
}
"""The types of errors in OpenAI's API, by code; the type of every other code is invalid_request_error."""


class FaultView(BaseModel):
    """One of several faults of a request, such as a faulty row of an order."""

    message: str
    param: str | None


class ErrorDetail(BaseModel):
    """``message`` is for people, ``code`` is for programs, and ``param`` names the input at fault.

    ``type`` is the kind of the error in OpenAI's API.
    """

    type: str
    code: str
    message: str
    param: str | None = None
    details: list[FaultView] = Field(
        default=[], max_length=MAX_FAULTS, description="Each fault, if there are several. Else left out."
    )
    more: int = Field(default=0, description="Faults that `details` does not list. Left out with `details`.")


class ErrorBody(BaseModel):
    """The body of every failed request."""

    error: ErrorDetail


def error_type(code: str) -> str:
    """Return the type that OpenAI's API gives to errors of a code."""
    return _TYPE.get(code, "invalid_request_error")


def answer(
    code: str,
    message: str,
    param: str | None = None,
    headers: dict[str, str] | None = None,
    details: tuple[ProdgenError, ...] = (),
    more: int = 0,
    retry_after: float | None = None,
) -> JSONResponse:
    """Return the response for a failed request.

    ``details``: the faults of the request. ``more``: how many faults are left out. ``retry_after``: seconds.
    """
    error: dict[str, Any] = {"type": error_type(code), "code": code, **_sentence(message, param)}
    if details:
        faults = [_sentence(str(fault), fault.param) for fault in details[:MAX_FAULTS]]
        error |= {"details": faults, "more": more}
    headers = dict(headers or {})
    if code in ("unavailable", "too_many_requests"):
        headers["Retry-After"] = str(math.ceil(retry_after or RETRY_SECONDS))
    if code == "unauthorized":
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": error}, STATUS.get(code, 400), headers)


def install(app: FastAPI) -> None:
    """Make ``app`` send the response of `answer` for every exception."""

    @app.exception_handler(ProdgenError)
    async def refuse(request: Request, error: ProdgenError) -> JSONResponse:
        if isinstance(error, Unavailable):
            request.app.state.deployment.note_failure(error)
        return answer(
            error.code,
            error.for_clients,
            error.param,
            details=error.details,
            more=error.more,
            retry_after=error.retry_after if isinstance(error, TooManyRequests) else None,
        )

    @app.exception_handler(RequestValidationError)
    async def refuse_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problem = explain_errors(error.errors())
        return answer(problem.code, str(problem), problem.param)

    @app.exception_handler(RedisError)
    async def refuse_without_redis(request: Request, error: RedisError) -> JSONResponse:
        plain = translated(error)
        if not isinstance(plain, ProdgenError):
            raise error
        return await refuse(request, plain)

    @app.exception_handler(OSError)
    async def refuse_without_room(request: Request, error: OSError) -> JSONResponse:
        if error.errno not in DISK_FULL:
            raise error
        return await refuse(request, NoRoom(str(error)))

    @app.exception_handler(HTTPException)
    async def refuse_http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODE.get(error.status_code, "invalid_request")
        message = error.detail
        if message == phrases.get(error.status_code):
            message = f"{request.method} {request.url.path}: {message.lower()}"
        response = answer(code, message, headers=dict(error.headers or {}))
        response.status_code = error.status_code
        return response

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> JSONResponse:
        request_id = correlation_id.get() or ""
        log.error("failed", exc_info=error)
        return answer(
            "internal_error",
            f"prodgen failed to answer; its log explains why under the request id {request_id}",
            headers={"X-Request-ID": request_id},  # this answer passes none of the app's middleware
        )


def _sentence(message: str, param: str | None) -> dict[str, str | None]:
    return {"message": _encodable(message), "param": param and _encodable(param)}


def _encodable(text: str) -> str:
    """Return ``text`` ready for UTF-8: cut off if too long, lone surrogates written as ``\\ud800``."""
    text = text if len(text) <= MAX_SENTENCE else f"{text[:MAX_SENTENCE]}…"
    return text.encode(errors="backslashreplace").decode()
