"""Start, watch, stop and kill the processes of a run on one node."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from prodgen.child_process import die_with_parent
from prodgen.runs.files import tail

_ERROR = re.compile(r"^(\[rank\d+\]: *)?\w*(Error|Exception)\b: ")
"""Matches the last line of a traceback, which torch begins with the rank."""
STOP_SECONDS = 120.0
"""Seconds within which a process must stop: end its step or evaluation, and write its checkpoint."""


class Processes:
    """A running command and all processes that it starts.

    The processes write log.txt, progress.json and result.json to ``folder``. Their environment is that of
    this process with ``environment`` added.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        (folder / "result.json").unlink(missing_ok=True)
        self.folder, self._stopped_at = folder, 0.0
        with (folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def ended(self) -> bool:
        """Return whether the command has ended. Kills the command if it has ignored `stop` for too long."""
        if self._process.poll() is not None:
            return True
        if self.stopping and time.monotonic() - self._stopped_at > STOP_SECONDS + 10:
            self.kill()
        return False

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called before the command ended."""
        return bool(self._stopped_at)

    def stop(self) -> None:
        """Send SIGTERM, once. The command then writes a checkpoint, if it makes checkpoints, and ends."""
        if not self.stopping and self._process.poll() is None:
            self._stopped_at = time.monotonic()
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the command and all processes that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def result(self) -> dict[str, Any] | None:
        """Return the outcome, step and message of result.json, or None if the command crashed."""
        with suppress(OSError, ValueError):
            return dict(json.loads((self.folder / "result.json").read_text()))
        return None

    def progress(self) -> dict[str, Any]:
        """Return the content of progress.json with the newest scores, or {} if there is no such file yet."""
        with suppress(OSError, ValueError):  # the last line of metrics.jsonl may be half written
            progress = json.loads((self.folder / "progress.json").read_text())
            lines = tail(self.folder / "metrics.jsonl", 1 << 16).splitlines()
            scores = [json.loads(line) for line in lines[1:] if b'"domain_fid"' in line]
            return {**progress, "metrics": scores[-1] if scores else {}}
        return {}

    def last_error(self) -> str:
        """Return the last error in the log, or the log's last line if there is no error."""
        text = tail(self.folder / "log.txt", 1 << 16).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if _ERROR.search(line)]
        return (errors or lines or ["it wrote nothing"])[-1]
