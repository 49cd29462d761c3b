"""A TCP proxy between a client and a server, which makes the faults of a network and of an S3 server."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, Self

from tests.servers.process import free_port

Mode = Literal["pass", "silent", "slow", "cut", "busy", "full"]
_CHANGES = (b"PUT ", b"POST ", b"DELETE ")
_METHODS = (*_CHANGES, b"GET ", b"HEAD ")
_ANSWER = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Forwards connections to ``port`` of this machine.

    Modes: *silent*: bytes are neither read nor sent, and nothing is closed, as when a network drops packets;
    *slow*: each piece waits; *cut*: a connection breaks in the middle of an upload; *busy*: an HTTP server
    that answers 503; *full*: one that refuses changes with 507.
    """

    def __init__(self, port: int) -> None:
        self.port, self.mode = free_port(), "pass"
        self.silenced = set[asyncio.Task[None]]()
        """The connections that are half open and were used after that."""
        self._target, self._dead = port, set[asyncio.Task[None]]()
        self._links = set[asyncio.Task[None]]()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        start = asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=512)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def being(self, mode: Mode) -> Iterator[None]:
        """Be in another mode for the block."""
        self.mode = mode
        try:
            yield
        finally:
            self.mode = "pass"

    def half_open(self) -> None:
        """Let no byte through on any connection that is open now, for ever. New connections work."""
        self._dead |= self._links

    async def _close(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links.add(self._loop.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link
        down: asyncio.StreamWriter | None = None
        try:
            await self._wait(link)
            up, down = await asyncio.open_connection("127.0.0.1", self._target)
            pumps = [
                asyncio.ensure_future(self._pump(link, reader, down, writer)),
                asyncio.ensure_future(self._pump(link, up, writer, None)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
        except OSError:
            pass
        finally:
            self._links.discard(link)
            for end in (writer, down):
                if end:
                    end.close()

    async def _pump(
        self,
        link: "asyncio.Task[None]",
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        answer: asyncio.StreamWriter | None,
    ) -> None:
        """Forward bytes until the source ends. ``answer``: where a client gets the proxy's own answers."""
        with suppress(OSError):
            while data := await source.read(65536):
                if link in self._dead:
                    self.silenced.add(link)
                await self._wait(link)
                if self.mode == "slow":
                    await asyncio.sleep(0.2)
                if answer and (status := self._refusal(data)):
                    answer.write(_ANSWER % status)
                    await answer.drain()
                    return
                if answer and self.mode == "cut" and len(data) > 600 and not data.startswith(_METHODS):
                    sink.write(data[: len(data) // 2])
                    await sink.drain()
                    return
                sink.write(data)
                await sink.drain()
            await self._wait(link)  # a network that drops packets drops the last one, too

    def _refusal(self, data: bytes) -> bytes | None:
        if self.mode == "busy" and data.startswith(_METHODS):
            return b"503 Slow Down"
        if self.mode == "full" and data.startswith(_CHANGES):
            return b"507 Insufficient Storage"
        return None

    async def _wait(self, link: "asyncio.Task[None]") -> None:
        while link in self._dead or self.mode == "silent":
            await asyncio.sleep(0.05)
