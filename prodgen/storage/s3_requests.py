"""Requests to an S3 server: a connection pool that repeats failed requests, and plain error messages."""

import os
from typing import Any
from xml.etree.ElementTree import ParseError

import certifi
import urllib3
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_all,
    stop_before_delay,
    wait_random_exponential,
)
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
    TimeoutError,
)

from prodgen.errors import NotFound, ProdgenError, StoreUnavailable

CONNECTIONS = 64
_TRANSIENT = {408, 429, 500, 502, 503, 504}
FAILURES = (MinioException, HTTPError, ParseError, UnicodeDecodeError)
_CREDENTIAL_ERRORS = {
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}
_CONNECTION_ERRORS: tuple[tuple[type[HTTPError], str], ...] = (
    (NameResolutionError, "its name is unknown"),
    (NewConnectionError, "no connection can be made"),
    (ConnectTimeoutError, "no connection in time"),
    (ReadTimeoutError, "no answer in time"),
    (SSLError, "its certificate is not trusted"),
)


class RetryingPool(urllib3.PoolManager):
    """Repeats a failed request, after growing pauses, for ``retry_seconds``, but at least once.

    Each try waits up to ``retry_seconds`` for a connection and for the next bytes, so a request may take
    four times ``retry_seconds``. Send only requests that may be carried out twice. The pool reads each answer
    to its end, so an incomplete answer is a failure too.

    A network may drop a connection silently. Then a request times out, and the pool closes all idle
    connections, because they were probably dropped too. The next try opens a new connection.
    """

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(
            maxsize=CONNECTIONS,
            retries=False,
            timeout=urllib3.Timeout(connect=retry_seconds, read=retry_seconds),
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        )
        self._retrying = Retrying(
            retry=retry_if_exception_type(HTTPError) | retry_if_result(lambda got: got.status in _TRANSIENT),
            wait=wait_random_exponential(multiplier=0.1, min=0.05, max=2),
            stop=stop_all(stop_after_attempt(2), stop_before_delay(retry_seconds)),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = False, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """Send a request until it succeeds or fails for good, or the time is over; return the last answer.

        Raises the last try's error if that try got no answer.
        """
        options["preload_content"] = True
        return self._retrying(self._send, method, url, redirect=redirect, **options)

    def _send(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        try:
            return super().urlopen(method, url, **options)
        except TimeoutError:
            self.clear()
            raise


def to_prodgen_error(error: Exception, endpoint: str, key: str = "") -> ProdgenError:
    """Return a ProdgenError that says what an error of minio or urllib3 means, without the server's words.

    NotFound if the object ``key`` does not exist, StoreUnavailable for every other error.
    """
    if isinstance(error, S3Error) and error.code == "NoSuchKey":
        return NotFound(f"there is no object {key}")
    if isinstance(error, HTTPError):
        why = next(
            (why for kind, why in _CONNECTION_ERRORS if isinstance(error, kind)), "the connection broke"
        )
        return StoreUnavailable(f"the object store at {endpoint} does not answer: {why}")
    code = _code(error)
    if code in _CREDENTIAL_ERRORS or code in {"401", "403"}:
        return StoreUnavailable(f"the object store at {endpoint} refuses the credentials ({code})")
    return StoreUnavailable(f"the object store at {endpoint} failed ({code})")


def _code(error: Exception) -> str:
    if isinstance(error, S3Error):
        return error.code or "no code"
    if isinstance(error, ServerError):
        return str(error.status_code)
    if isinstance(error, InvalidResponseError):
        return str(error._code)  # minio has no public attribute for the status
    return "an unreadable answer"
