"""Send HTTP requests to addresses that tenants choose, without letting them reach the private network.

The host name is resolved once, each IP address is checked, and the connection goes to a checked address.
Redirects are not followed, proxies of the environment are not used, and the body of the answer is not read.
"""

import socket
import ssl
import time
from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpcore

from prodgen.errors import ProdgenError

CONNECT_SECONDS, SECONDS = 5.0, 15.0
"""The most seconds to connect to one address, and for the whole request up to the status of the answer."""

_TRANSLATED = ip_network("64:ff9b::/96")
"""IPv6 addresses behind which a gateway reaches any IPv4 address."""


def check_url(url: str, *, private: bool) -> None:
    """Raise ProdgenError unless a webhook may go to ``url``. Does not resolve the host.

    ``private`` allows plain http and addresses that are not public.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ProdgenError(f"webhook {url!r} is no URL", param="webhook") from None
    schemes = ("https", "http") if private else ("https",)
    if parts.scheme not in schemes or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise ProdgenError(f"webhook {url!r} is no URL that begins with https://", param="webhook")
    if parts.username is not None or parts.fragment:
        raise ProdgenError("webhook must have neither a user nor a fragment (#…)", param="webhook")
    if not private and (_is_private(host) or host.rstrip(".").endswith("localhost")):
        raise ProdgenError(f"webhook goes to {host}, which is no public address", param="webhook")


def post(url: str, headers: dict[str, str], body: bytes, *, private: bool) -> int:
    """Send a POST request and return the HTTP status of the answer, within `SECONDS`.

    Raises ProdgenError if there is no answer; its message says what failed.
    """
    backend = _Backend(private, time.monotonic() + SECONDS)
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), SECONDS)
    try:
        check_url(url, private=private)
        with (
            httpcore.ConnectionPool(_trusted(), network_backend=backend, retries=0) as pool,
            pool.stream(
                "POST", url, headers=[*headers.items()], content=body, extensions={"timeout": timeout}
            ) as answer,
        ):
            status: int = answer.status
            return status
    except (httpcore.TimeoutException, TimeoutError):
        raise ProdgenError(f"the receiver did not answer within {SECONDS:.0f} s") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
        raise ProdgenError(
            f"the connection to the receiver failed: {error or type(error).__name__}"
        ) from None


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Backend(httpcore.SyncBackend):
    """Connects to checked addresses only. No operation of a connection lasts beyond ``deadline``."""

    def __init__(self, private: bool, deadline: float) -> None:
        self._private, self._deadline = private, deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in _resolve(host, port, self._private):
            seconds = min(CONNECT_SECONDS, _left(self._deadline))
            try:
                stream = super().connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure or httpcore.ConnectError(f"{host} has no address")


class _Stream(httpcore.NetworkStream):
    """A connection whose operations end at ``deadline``, so that a slow receiver holds no thread for long."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _Stream(stream, self._deadline)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    """Return the seconds until ``deadline``. Raises httpcore.ReadTimeout if it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout("the time is over")
    return seconds


def _resolve(host: str, port: int, private: bool) -> list[str]:
    """Return the IP addresses of a host. Raises ProdgenError if the host is unknown.

    Also raises ProdgenError if an address is not public, unless ``private`` is set.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # also a name with empty or too long parts
        raise ProdgenError(f"the host {host} is not known") from None
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not private and any(map(_is_private, addresses)):
        raise ProdgenError(f"the host {host} has an address that is not public")
    return addresses


def _is_private(host: str) -> bool:
    """Return whether ``host`` is an IP address outside the public internet. Returns False for a host name."""
    try:
        address: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            address = address.ipv4_mapped
        elif address.sixtofour or address.teredo or address in _TRANSLATED:
            return True
    return not address.is_global or address.is_multicast
