"""Serve files over real HTTP with byte ranges, as a mirror of public data that can be made to fail."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Mirror:
    """``files`` maps names to content; ``asked`` collects the (name, first byte) of each request."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[tuple[str, int]] = []
        self.breaks: list[int] = []
        """Number of bytes after which each of the next responses is cut off."""
        self.knows_ranges = True
        self.tells_length = True
        self.url = ""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Mirror]:
    """Serve ``files`` within the block."""
    mirror = Mirror(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            first = int(wanted[1]) if wanted and mirror.knows_ranges else 0
            mirror.asked.append((name, int(wanted[1]) if wanted else 0))
            content = mirror.files.get(name)
            if content is None or (first and first >= len(content)):
                self.send_response(404 if content is None else 416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = content[first:]
            self.send_response(206 if first else 200)
            if mirror.tells_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: mirror.breaks.pop(0)] if mirror.breaks else body)

        def log_message(self, *_: object) -> None:
            """Suppress the log of requests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        mirror.url = f"http://127.0.0.1:{server.server_port}/"
        yield mirror
        server.shutdown()
