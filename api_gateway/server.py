"""The HTTP server of the gateway, with its limits."""

import uvicorn
from fastapi import FastAPI

from api_gateway.protocol import TimedProtocol

CONNECTIONS = 800
"""Connections at a time; further ones get 503. Processes may often open no more than 1,024 files."""


def server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    """Return a server for the application, which is not started yet."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=TimedProtocol,
        ws="none",
        log_config=None,  # `create_app` configures the logs
        access_log=False,  # its lines contain queries, which hold the signatures of links
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)
