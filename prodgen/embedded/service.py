"""One process of the stack: started, watched, started again when it dies, and stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prodgen.orphans import die_with_parent

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
                # Nothing gentler is sure: without its broker, a worker that is asked to end reconnects first.
                preexec_fn=die_with_parent,
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
