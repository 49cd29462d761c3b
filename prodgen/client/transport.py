"""Send requests to a gateway: retry them, translate errors, read lists by page, and stream events."""

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_attempt, wait_exponential

from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable

T = TypeVar("T")

TERMINAL = ("succeeded", "partial", "failed", "cancelled")
"""The states of a job or run that has ended."""

_RETRIES = 16
"""Largest number of retries of a failed request. They take about a minute; a gateway can restart in it."""
_PAUSE, _MAX_PAUSE = 0.2, 5.0
"""Seconds between two attempts at a request: the first pause, which doubles each time, and the longest."""
_SLOW = httpx.Timeout(60.0, connect=5.0)
_CHANGED = "what is downloaded has changed meanwhile; begin the download again"
_PASSING = (502, 503, 504)
"""HTTP statuses of temporary failures: a proxy or a gateway that restarts answers with them."""


class Transport:
    """The HTTP connections to one gateway, with one API key. Raises ProdgenError with the gateway's message.

    Sends a request again after a temporary failure, so use it only for requests that are safe to repeat.
    Until the gateway has answered one request, sends each request only once: a wrong URL fails at once.
    """

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._gateway = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(30.0, connect=5.0),
        )
        self._links = httpx.Client(timeout=30.0)  # sends no key: a signed link may lead to another server
        self._has_answered = False

    def close(self) -> None:
        """Close the connections."""
        self._gateway.close()
        self._links.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and return its successful response. ``options`` go to `httpx.Client.request`."""
        try:
            response = self._retrying(lambda: self._gateway.request(method, path, **options))
        except httpx.HTTPError as error:
            raise self._silent(error) from None
        if not response.is_success:
            raise _refusal(response)
        self._has_answered = True
        return response

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send a request and return the JSON object of its response."""
        body: dict[str, Any] = self.request(method, path, **options).json()
        return body

    def pages(self, path: str, limit: int, **filters: object) -> Iterator[dict[str, Any]]:
        """Yield the items of the list at ``path`` that fit ``filters``; fetch ``limit`` items per request."""
        cursor: str | None = None
        while True:
            page = self.json(
                "GET", path, params={**filters, "limit": limit} | ({"after": cursor} if cursor else {})
            )
            yield from page["data"]
            cursor = page.get("next")
            if not cursor:
                return

    def download(self, url: str, name: str, digest: str | None = None) -> bytes:
        """Download a file from its signed link and return the content. ``name`` is for error messages.

        Raises ProdgenError if the sha256 of the content is not ``digest``.
        """
        try:
            response = self._retrying(lambda: self._links.get(url))
        except httpx.HTTPError as error:
            raise Unavailable(f"{name} could not be downloaded: {error}") from None
        if not response.is_success:
            raise _link_refusal(response, name)
        if digest and hashlib.sha256(response.content).hexdigest() != digest:
            raise ProdgenError(f"{name} came with other bytes than were recorded")
        return response.content

    def events(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the data of each server-sent event at ``path``, up to the first event with a terminal state.

        If the connection breaks, connects again and continues after the last event.
        """
        last = "0"

        def connect() -> Iterator[ServerSentEvent]:
            return self._stream(path, last)

        for event in self._reconnecting(connect):
            last, data = event.id or last, event.json()
            yield data
            if data["state"] in TERMINAL:
                return

    def read_from(
        self, path: str, start: int, name: str | None = None, tag: str | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Read the content at ``path`` from byte ``start`` on. Yields (size of all content, next bytes).

        ``name``: the name of the file for error messages, if ``path`` is a signed link. If the connection
        breaks, connects again and continues after the last byte. Raises Conflict if the ETag of the content
        is no longer ``tag``, or if the size changes meanwhile.
        """

        def connect() -> Iterator[tuple[int, bytes]]:
            return self._bytes(path, start, name, tag)

        first: int | None = None
        for size, data in self._reconnecting(connect):
            first = first or size
            if size != first:
                raise Conflict(_CHANGED)
            start += len(data)
            yield size, data
            if start >= size:
                return

    def _reconnecting(self, connect: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Yield the items of ``connect()``, and call it again when it ends or its connection breaks.

        Ends when the caller stops. Raises Unavailable after too many failures one after the other.
        """
        failures = 0
        while True:
            try:
                for item in connect():
                    failures = 0
                    yield item
                failure: object = "it closes every connection"
            except (httpx.TransportError, Unavailable) as error:
                failure = error
            failures += 1
            if failures > _RETRIES:
                raise self._silent(failure)
            time.sleep(min(_MAX_PAUSE, _PAUSE * 2.0**failures))

    def _bytes(self, path: str, start: int, name: str | None, tag: str | None) -> Iterator[tuple[int, bytes]]:
        """Yield (size of all content, next bytes) on one connection; see `read_from`."""
        server = self._links if name else self._gateway
        headers = {"Range": f"bytes={start}-"} | ({"If-Range": tag} if tag else {})
        with server.stream("GET", path, headers=headers, timeout=_SLOW) as response:
            if tag and response.status_code == httpx.codes.OK:
                raise Conflict(_CHANGED)
            whole = response.headers.get("Content-Range", "").rpartition("/")[2]
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and whole == str(start):
                yield start, b""  # all bytes have arrived before
                return
            if response.status_code != httpx.codes.PARTIAL_CONTENT:
                response.read()
                raise _link_refusal(response, name) if name else _refusal(response)
            for data in response.iter_raw():
                yield int(whole), data

    def _stream(self, path: str, after: str) -> Iterator[ServerSentEvent]:
        with self._gateway.stream("GET", path, headers={"Last-Event-ID": after}, timeout=_SLOW) as response:
            if not response.is_success:
                response.read()
                raise _refusal(response)
            for event in EventSource(response).iter_sse():
                if event.data:  # a comment that keeps the connection open has none
                    yield event

    def _retrying(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Call ``send`` again after each temporary failure. Returns or raises the result of the last call."""
        retry: Retrying = Retrying(
            retry=retry_if_exception_type(httpx.TransportError) | retry_if_result(_is_passing),
            wait=wait_exponential(multiplier=_PAUSE, max=_MAX_PAUSE),
            stop=stop_after_attempt(1 + _RETRIES if self._has_answered else 1),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        return retry(send)

    def _silent(self, error: object) -> Unavailable:
        return Unavailable(f"the gateway at {self.url} does not answer: {error}")


def _is_passing(response: httpx.Response) -> bool:
    """Return whether the failure is temporary: status 502, 503, 504, or 429 with a pause of one second."""
    a_second = response.headers.get("Retry-After") == "1"
    too_many = response.status_code == httpx.codes.TOO_MANY_REQUESTS
    return response.status_code in _PASSING or (too_many and a_second)


def _link_refusal(response: httpx.Response, name: str) -> ProdgenError:
    if response.status_code == httpx.codes.NOT_FOUND:
        return NotFound(f"{name} is no longer in the store")
    kind = Unavailable if response.status_code >= 500 else ProdgenError
    return kind(f"{name} could not be downloaded: the store answered {response.status_code}")


def _refusal(response: httpx.Response) -> ProdgenError:
    try:
        error = response.json()["error"]
        message, param, more = error["message"], error.get("param"), error.get("more", 0)
        details = tuple(ProdgenError(one["message"], param=one["param"]) for one in error.get("details", ()))
    except (ValueError, KeyError, TypeError):
        message, param, details, more = f"the gateway answered {response.status_code}", None, (), 0
    kind = Unavailable if response.status_code >= 500 else ProdgenError
    return kind(message, param=param, details=details, more=more)
