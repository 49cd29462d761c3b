"""Answers ``/healthz``, ``/readyz`` and ``/metrics`` over HTTP for a worker of any role.

``/healthz`` answers 503 if the process should be restarted, ``/readyz`` if the worker takes no work now.
Otherwise both answer 200.
"""

import logging
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer

from prometheus_client import MetricsHandler

log = logging.getLogger("prodgen.worker")

Check = Callable[[], str | None]
"""A function that returns None if all is well, else one sentence that says what is wrong."""

ALIVE: list[Check] = []
READY: list[Check] = []


class _Handler(MetricsHandler):
    def do_GET(self) -> None:
        checks = {"/healthz": ALIVE, "/readyz": [*ALIVE, *READY]}.get(self.path)
        if checks is None:
            super().do_GET()
            return
        problem = next(filter(None, (check() for check in checks)), None)
        body = (problem or "ok").encode()
        self.send_response(503 if problem else 200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(host: str, port: int) -> ThreadingHTTPServer:
    """Start the HTTP server in threads of this process, and return it."""
    server = ThreadingHTTPServer((host, port), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    log.info("health is answered on %s:%d", host, port)
    return server
