"""An HTTP server that answers as a test says: for what a real store does only on its worst days."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple


class Answer(NamedTuple):
    """``length`` is what Content-Length claims, if that is not the truth."""

    status: int
    body: bytes = b""
    content_type: str = "application/xml"
    length: int | None = None


@contextmanager
def scripted_server(answer: Callable[[str, str], Answer], version: str = "HTTP/1.0") -> Iterator[str]:
    """The URL of a server that gives ``answer(method, path and query)`` to each request.

    With the version HTTP/1.1 it keeps connections open.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = version

        def respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            given = answer(self.command, self.path)
            self.send_response(given.status)
            self.send_header("Content-Type", given.content_type)
            self.send_header("Content-Length", str(len(given.body) if given.length is None else given.length))
            self.send_header("ETag", '"etag"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = respond

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
