"""Call a gateway from Python."""

from prodgen.client.client import Client
from prodgen.client.transport import TERMINAL

__all__ = ["TERMINAL", "Client"]
