"""For `tests.bench.serving`: requests of one image over HTTP, and the CPU and memory of processes."""

import asyncio
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

OPEN = 256
"""Requests at a time: two batches, so that one gathers while another is made."""


SETTLE = 2.0
"""Seconds in which processes that were stopped do what they missed, before they are measured."""


class Meter:
    """Measures processes. ``cpu``: seconds of all ``runs``; ``memory``: the most MiB of all together."""

    def __init__(self, find: Callable[[], list[psutil.Process]]) -> None:
        self._find, self._ended = find, threading.Event()
        self.cpu, self.memory, self.runs = 0.0, 0.0, 0

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure until the end of the block."""
        found = self._find()
        before, thread = _cpu(found), threading.Thread(target=self._watch, args=(found,))
        self._ended.clear()
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
        self.cpu += _cpu(found) - before
        self.runs += 1

    def stop(self) -> None:
        """Send SIGSTOP to the processes: a server that is idle takes time from the one that is measured."""
        for one in self._find():
            one.suspend()

    def resume(self) -> None:
        """Let the processes run on."""
        for one in self._find():
            one.resume()

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let the processes run until the end of the block, and stop them again."""
        self.resume()
        time.sleep(SETTLE)
        try:
            yield
        finally:
            self.stop()

    def _watch(self, found: list[psutil.Process]) -> None:
        while not self._ended.wait(0.5):
            self.memory = max(self.memory, sum(one.memory_info().rss for one in found) / 2**20)


def _cpu(found: list[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in found)


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


class Http:
    """Requests of one image each to a server on loopback, over connections that stay open."""

    def __init__(self, port: int, path: str, body: Callable[[int], bytes]) -> None:
        self._port, self._path, self._body = port, path, body

    def load(self, first: int, count: int, open: int = OPEN) -> list[float]:
        """Ask for ``count`` images, ``open`` at a time; return the seconds of each answer."""
        return asyncio.run(self._load(iter(range(first, first + count)), open))

    async def _load(self, indices: Iterator[int], open: int) -> list[float]:
        seconds: list[float] = []

        async def client() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            for index in indices:
                start = time.perf_counter()
                body = self._body(index)
                head = f"POST {self._path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                answer = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = answer.split(b"content-length:")[1].split(b"\r\n")[0]
                data = await reader.readexactly(int(length))
                if b" 200 " not in answer.split(b"\r\n")[0] or not (
                    b"IHDR" in data or b64encode(b"IHDR")[:5] in data
                ):
                    raise RuntimeError(f"no image: {answer[:40]!r} {data[:200]!r}")
                seconds.append(time.perf_counter() - start)
            writer.close()

        await asyncio.gather(*(client() for _ in range(open)))
        return seconds
