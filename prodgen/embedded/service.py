"""One process of the stack: start it, restart it when it dies, and stop it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prodgen.child_process import die_with_parent

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
"""Seconds before a dead service starts again: doubled at each death, and reset once it has run so long."""


class Service:
    """A command that writes to a log; ``is_ready`` returns whether it answers.

    ``stop_seconds`` is the time that the process may take to stop before it is killed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        is_ready: Callable[[], bool],
        stop_seconds: float = 10.0,
    ) -> None:
        self.name, self.command, self.environment, self.log = name, command, environment, log
        self.is_ready, self.stop_seconds = is_ready, stop_seconds
        self.process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._restart_at: float | None = None
        self._started = 0.0

    @property
    def pid(self) -> int | None:
        """The process id; None while the process does not run."""
        return self.process.pid if self.process and self.process.poll() is None else None

    def start(self) -> None:
        """Start the process."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                # A softer signal is not enough: a worker without its broker reconnects before it stops.
                preexec_fn=die_with_parent,
            )
        self._started = time.monotonic()

    def restart_if_dead(self) -> bool:
        """Start a dead process again once its pause is over; return whether this call did."""
        now = time.monotonic()
        if self.pid is not None:
            if now - self._started > LONGEST_PAUSE:
                self._deaths = 0
            return False
        if self._restart_at is None:
            self._restart_at = now + min(LONGEST_PAUSE, SHORTEST_PAUSE * 2**self._deaths)
            self._deaths += 1
        if now < self._restart_at:
            return False
        self._restart_at = None
        self.start()
        return True

    def stop(self) -> None:
        """Ask the process to stop, wait for `stop_seconds`, then kill it."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_log_line(self) -> str:
        """Return the last line of the log, for the error that says why the service did not start."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else "it wrote nothing"
