"""HTTP connections that send a failed request again."""

import os
from typing import Any

import certifi
import urllib3
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_before_delay,
    wait_random_exponential,
)
from urllib3.exceptions import HTTPError

CONNECTIONS = 64
_TRANSIENT = {408, 429, 500, 502, 503, 504}


class RetryingPool(urllib3.PoolManager):
    """Repeats a failed request, after growing pauses, for ``retry_seconds``.

    Each try waits up to ``retry_seconds`` for a connection and for the next bytes, so a request may take
    twice ``retry_seconds``. Send only requests that may be carried out twice. Each answer is read whole, so
    that an answer that was cut short is a failure too.
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
            stop=stop_before_delay(retry_seconds),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = False, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """Return the first answer that is no transient failure, or the last answer; raise the last error."""
        options["preload_content"] = True
        return self._retrying(super().urlopen, method, url, redirect=redirect, **options)
