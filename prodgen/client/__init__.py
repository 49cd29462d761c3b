"""A Python client of the gateway's HTTP API."""

from prodgen.client.client import Client
from prodgen.client.transport import TERMINAL

__all__ = ["TERMINAL", "Client"]
