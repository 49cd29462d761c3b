"""Find and check TCP ports of this machine."""

import socket
from contextlib import suppress
from random import SystemRandom

_PORTS = range(10_000, 32_000)
"""The ports to choose from. Linux gives ports from 32768 on to outgoing connections, and such a connection
could take a server's port before the server starts."""


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port on which nothing listens at ``address``; an empty address means all addresses.

    Raises OSError if none is found.
    """
    for port in SystemRandom().sample(_PORTS, 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((address, port))
            return port
    raise OSError("none of a thousand ports is free")


def is_free(port: int) -> bool:
    """Return whether nothing listens on ``port`` at 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
