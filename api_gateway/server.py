"""The HTTP server of the gateway, with its limits."""

import uvicorn
from fastapi import FastAPI

from api_gateway.protocol import TimedProtocol

CONNECTIONS = 800
"""Largest number of open connections; more get 503. Many systems let a process open only 1,024 files."""


def server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    """Return a uvicorn server for the application. The caller starts the server."""
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
