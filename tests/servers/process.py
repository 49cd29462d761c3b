"""A server process of a test: start, kill, start again on the same data."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from prodgen import ports

_START_SECONDS = 100
"""Long enough for a machine with many times more work than cores; a test that passes never waits so long."""
_GIVEN: set[int] = set()


def free_port() -> int:
    """Return a loopback port that nothing listens on, and that this process returns only once.

    A server with SO_REUSEPORT (Swift's four) would share another's port without a word.
    """
    while (port := ports.free_port()) in _GIVEN:
        pass
    _GIVEN.add(port)
    return port


def wait_until(condition: Callable[[], bool], what: str, seconds: float = _START_SECONDS) -> None:
    """Return as soon as ``condition`` holds; raises TimeoutError if it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} after {seconds} s")
        time.sleep(0.01)


class Process:
    """One program listening on one port, in its own process group; its output goes to ``log``."""

    def __init__(self, command: Sequence[str | Path], port: int, log: Path) -> None:
        self.command, self.port, self.log = command, port, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it if it doesn't run; `wait` for it to listen."""
        if self._process is None:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )

    def wait(self) -> None:
        """Return once it accepts connections."""
        wait_until(self._listens, f"{self.command[0]} does not listen on port {self.port}; see {self.log}")

    def kill(self) -> None:
        """``kill -9``: no time to write anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """An orderly end."""
        self._end(signal.SIGTERM)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped for a while (``kill -STOP``): it keeps its connections and answers nothing."""
        assert self._process
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)
            self._process.wait(_START_SECONDS)
            self._process = None

    def _listens(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self.command[0]} ended by itself; see {self.log}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
