"""Finds and checks TCP ports of this machine."""

import socket

from prodgen.errors import ProdgenError


def free_port(address: str = "127.0.0.1") -> int:
    """A port of an address that nothing listens on; of every address for an empty one."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether nothing listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_port(port: int, option: str) -> None:
    """Raises ProdgenError if the port is taken."""
    if not is_free(port):
        raise ProdgenError(f"port {port} is taken; choose another with {option}", param=option)
