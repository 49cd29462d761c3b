"""Turn errors of an S3 store into errors of prodgen: one sentence, without secrets."""

from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from prodgen.errors import NotFound, ProdgenError, Unavailable

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


def to_prodgen_error(error: Exception, endpoint: str, key: str = "") -> ProdgenError:
    """Return a ProdgenError for an error of minio or urllib3, without the server's own message."""
    if isinstance(error, S3Error) and error.code == "NoSuchKey":
        return NotFound(f"there is no object {key}")
    if isinstance(error, HTTPError):
        why = next(
            (why for kind, why in _CONNECTION_ERRORS if isinstance(error, kind)), "the connection broke"
        )
        return Unavailable(f"the object store at {endpoint} does not answer: {why}")
    code = _code(error)
    if code in _CREDENTIAL_ERRORS or code in {"401", "403"}:
        return Unavailable(f"the object store at {endpoint} refuses the credentials ({code})")
    return Unavailable(f"the object store at {endpoint} failed ({code})")


def _code(error: Exception) -> str:
    if isinstance(error, S3Error):
        return error.code or "no code"
    if isinstance(error, ServerError):
        return str(error.status_code)
    if isinstance(error, InvalidResponseError):
        return str(error._code)  # minio has no public attribute for the status
    return "an unreadable answer"
