"""A receiver of webhooks, as a shop has one."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from standardwebhooks import Webhook


class Receiver(ThreadingHTTPServer):
    """Answers with each of ``statuses``, then with 204. Keeps the requests."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hooks"

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """Answer requests until the end of the block."""
        with self:
            Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
            yield self
            self.shutdown()

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """Return the messages, each verified by the library of Standard Webhooks."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.requests]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(({**self.headers}, body))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
