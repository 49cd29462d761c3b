"""HTTP connections that give a failing server a bounded time to recover."""

import itertools
import os
import random
import time
from typing import Any

import certifi
import urllib3
from urllib3.exceptions import HTTPError

CONNECTIONS = 64
_PASSING = {408, 429, 500, 502, 503, 504}


class PatientPool(urllib3.PoolManager):
    """Tries every request again, after growing pauses, until it has failed for ``patience`` seconds.

    One try waits as long for a connection or for the next bytes, so a server that is silent from the start
    costs ``patience`` seconds, and one that falls silent later twice that. Only for requests that may be
    carried out twice. Answers are read whole, so that one cut short is tried again too.
    """

    def __init__(self, patience: float) -> None:
        super().__init__(
            maxsize=CONNECTIONS,
            retries=False,
            timeout=urllib3.Timeout(connect=patience, read=patience),
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        )
        self._patience = patience

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = False, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """The first answer that isn't a passing failure, or what the last try gave."""
        options["preload_content"] = True
        deadline = time.monotonic() + self._patience
        for attempt in itertools.count():
            pause = random.uniform(0.5, 1) * min(2.0, 0.1 * 2**attempt)  # noqa: S311 - spreads clients out
            try:
                response = super().urlopen(method, url, redirect=redirect, **options)
            except HTTPError:
                if time.monotonic() + pause > deadline:
                    raise
            else:
                if response.status not in _PASSING or time.monotonic() + pause > deadline:
                    return response
            time.sleep(pause)
        raise AssertionError
