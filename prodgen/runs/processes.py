"""What a node starts for a run, as processes of their own: watched, asked to stop, made to end."""

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

from prodgen.orphans import die_with_parent
from prodgen.runs.files import tail

_ERROR = re.compile(r"^(\[rank\d+\]: *)?\w*(Error|Exception)\b: ")
"""The last line of a traceback, in which torch names the rank."""
STOP_SECONDS = 120.0
"""For which a run that was asked to stop may end its step, or evaluation, and write its checkpoint."""


class Processes:
    """One command and all that it starts. It writes log.txt, progress.json and result.json in ``folder``."""

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        (folder / "result.json").unlink(missing_ok=True)
        self.folder, self._asked = folder, 0.0
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
        """Whether all of it has ended; one that was asked to stop, and does not, is killed."""
        if self._process.poll() is not None:
            return True
        if self._asked and time.monotonic() - self._asked > STOP_SECONDS + 10:
            self.kill()
        return False

    @property
    def was_asked(self) -> bool:
        """Whether it was asked to stop."""
        return bool(self._asked)

    def ask_to_stop(self) -> None:
        """Let it write a checkpoint, if it makes any, and end."""
        if not self._asked and self._process.poll() is None:
            self._asked = time.monotonic()
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all of it now."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def result(self) -> dict[str, Any] | None:
        """outcome, step and message of a run that ended by itself; None if it broke off."""
        with suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
            return told
        return None

    def progress(self) -> dict[str, Any]:
        """How far it is, with what it scored last."""
        with suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads((self.folder / "progress.json").read_text())
            lines = tail(self.folder / "metrics.jsonl", 1 << 16).splitlines()
            scores = [json.loads(line) for line in lines[1:] if b'"domain_fid"' in line]
            return {**told, "metrics": scores[-1] if scores else {}}
        return {}

    def last_words(self) -> str:
        """Of the log, for the one who asks why: the last error, or whatever came last."""
        text = tail(self.folder / "log.txt", 1 << 16).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if _ERROR.search(line)]
        return (errors or lines or ["it wrote nothing"])[-1]
