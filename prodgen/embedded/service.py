"""One process of the stack: start it, restart it when it dies, and stop it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prodgen.child_process import die_with_parent

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
"""Seconds before a dead service starts again. The pause is first the shortest, and doubles with each death up
to the longest. When a service has run for longer than LONGEST_PAUSE, its next pause is SHORTEST_PAUSE."""
LOG_BYTES = 16 << 20
"""The size in bytes above which a log is rotated."""


@dataclass
class Service:
    """A process of the stack. It runs ``command`` with ``environment``, and its output goes to ``log``."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_ready: Callable[[], bool]
    """Returns whether the service is ready for work."""
    stop_seconds: float = 10.0
    """Seconds that the process may take to stop before it is killed."""
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _deaths: int = field(default=0, init=False)
    _restart_at: float | None = field(default=None, init=False)
    _started: float = field(default=0.0, init=False)

    @property
    def pid(self) -> int | None:
        """The id of the process, or None while the process does not run."""
        return self.process.pid if self.process and self.process.poll() is None else None

    def start(self) -> None:
        """Start the process and append its output to the log."""
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
        self._started, self._restart_at = time.monotonic(), None

    def is_due(self) -> bool:
        """Return whether to call `start` again: the process is dead, and the pause since then is over."""
        now = time.monotonic()
        if self.pid is not None:
            if now - self._started > LONGEST_PAUSE:
                self._deaths = 0
            return False
        if self._restart_at is None:
            self._restart_at = now + min(LONGEST_PAUSE, SHORTEST_PAUSE * 2**self._deaths)
            self._deaths += 1
        return now >= self._restart_at

    def stop(self) -> None:
        """Ask the process to stop; kill it if it still runs after `stop_seconds`."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def rotate_log(self) -> None:
        """If the log is larger than `LOG_BYTES`, copy its content to ``NAME.log.1``, then empty the log.

        The log is not renamed, because the process keeps the file open. A line that the process writes
        between the two steps is lost.
        """
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_name(f"{self.log.name}.1"))
            os.truncate(self.log, 0)

    def last_log_line(self) -> str:
        """Return the last line of the log, which may say why the service did not start.

        Returns "it wrote nothing" for an empty log.
        """
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else "it wrote nothing"
