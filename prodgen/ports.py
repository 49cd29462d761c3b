"""Find and check TCP ports of this machine."""

import socket


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port on which nothing listens at ``address``; an empty address means all addresses."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return whether nothing listens on ``port`` at 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
