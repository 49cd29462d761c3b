"""One process of the stack: started, watched, started again when it dies, and stopped."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
LONGEST_PAUSE = 30.0
"""Seconds between two starts of a service that keeps dying."""


class Service:
    """A command with its log; ``ready`` tells whether it answers."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        ready: Callable[[], bool],
        patience: float = 10.0,
    ) -> None:
        self.name, self.command, self.environment, self.log = name, command, environment, log
        self.ready, self.patience = ready, patience
        self.process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._start_at = 0.0
        self._started = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, None while it is not running."""
        return self.process.pid if self.process and self.process.poll() is None else None

    def start(self) -> None:
        """Start it, its output going to the log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._started = time.monotonic()

    def revive(self) -> bool:
        """Start it again if it has died, after a pause that grows; True if it was started."""
        if self.pid is not None:
            if self._deaths and time.monotonic() - self._started > LONGEST_PAUSE:
                self._deaths = 0
            return False
        now = time.monotonic()
        if not self._start_at:
            self._start_at = now + min(LONGEST_PAUSE, 0.2 * 2**self._deaths)
            self._deaths += 1
        if now < self._start_at:
            return False
        self._start_at = 0.0
        self.start()
        return True

    def stop(self) -> None:
        """Ask it to end, wait for as long as it may need, then insist."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        """The end of its log, for the error that says it did not start."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else "it wrote nothing"


def _die_with_parent() -> None:
    """On Linux a service is killed with its supervisor, should that die without stopping it.

    Nothing gentler is sure: without its broker a worker that is asked to end tries to reconnect first.
    """
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
