"""Every failure is answered the same way: ``{"error": {"code", "message", "param"}}``."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from prodgen.errors import ProdgenError, Unavailable
from prodgen.ledger.scripts import translated
from prodgen.spec.validation_errors import explain_errors

log = logging.getLogger("prodgen.gateway")

RETRY_SECONDS = 3

STATUS = {
    "invalid_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "internal_error": 500,
    "unavailable": 503,
}
_CODE = {status: code for code, status in STATUS.items()}


class Unauthorized(ProdgenError):
    """No key, or one that opens nothing."""

    code = "unauthorized"


class Forbidden(ProdgenError):
    """The key is good, but not for this."""

    code = "forbidden"


class TooLarge(ProdgenError):
    """The body is larger than the route takes."""

    code = "too_large"


class UnsupportedMedia(ProdgenError):
    """The body is of a kind that the route does not take."""

    code = "unsupported_media_type"


class ErrorDetail(BaseModel):
    """``message`` is for people, ``code`` for programs, ``param`` the input at fault."""

    code: str
    message: str
    param: str | None = None


class ErrorBody(BaseModel):
    """What every failure answers."""

    error: ErrorDetail


def answer(
    code: str, message: str, param: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """The response for a failure."""
    body = ErrorBody(error=ErrorDetail(code=code, message=message, param=param))
    headers = dict(headers or {})
    if code == "unavailable":
        headers["Retry-After"] = str(RETRY_SECONDS)
    if code == "unauthorized":
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body.model_dump(), STATUS.get(code, 400), headers)


def install(app: FastAPI) -> None:
    """Let ``app`` answer all its failures in this way."""

    @app.exception_handler(ProdgenError)
    async def refused(request: Request, error: ProdgenError) -> JSONResponse:
        if isinstance(error, Unavailable):
            request.app.state.services.heed(error)
        return answer(error.code, str(error), error.param)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problem = explain_errors(error.errors())
        return answer(problem.code, str(problem), problem.param)

    @app.exception_handler(RedisError)
    async def redis_failed(request: Request, error: RedisError) -> JSONResponse:
        plain = translated(error)
        if isinstance(plain, ProdgenError):
            return await refused(request, plain)
        return await failed(request, error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODE.get(error.status_code, "invalid_request")
        message = error.detail
        if message == HTTPStatus(error.status_code).phrase:
            message = f"{request.method} {request.url.path}: {message.lower()}"
        response = answer(code, message, headers=dict(error.headers or {}))
        response.status_code = error.status_code
        return response

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        number = request.scope.get("request_id", "")
        log.error("failed", exc_info=error, extra={"request_id": number})
        return answer(
            "internal_error",
            f"prodgen failed to answer; the log tells why under request {number}",
            headers={"X-Request-ID": number},
        )
