"""Starts torchrun as users do, with several processes on one machine."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from tests.servers.process import wait_until
from tests.servers.up import clean_environment

TIMEOUT = 200.0


class Torchrun:
    """A torchrun command with ``processes`` on this node, killed at the end of the block."""

    def __init__(self, log: Path, *words: object, processes: int = 2, options: tuple[str, ...] = ()) -> None:
        launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
        self.command = [*launcher, *(options or ("--standalone",)), "-m", *map(str, words)]
        self.log = log

    def __enter__(self) -> "Torchrun":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**clean_environment(), "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()  # the ranks die with it
        self.process.wait()

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(TIMEOUT)

    def succeed(self) -> None:
        """Run to the end, which must be a success."""
        with self:
            assert self.wait() == 0, self.log.read_text()[-4000:]

    def stop(self) -> None:
        """Send SIGTERM, and wait for the end."""
        self.process.send_signal(signal.SIGTERM)
        self.wait()

    def ranks(self) -> list[psutil.Process]:
        """Return the processes that train."""
        return psutil.Process(self.process.pid).children()

    def wait_for_step(self, folder: Path, step: int) -> None:
        """Wait until progress.json has reached the step."""

        def is_reached() -> bool:
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            return progress(folder).get("step", -1) >= step

        wait_until(is_reached, f"{folder} does not reach step {step}", TIMEOUT)


def progress(folder: Path) -> dict[str, Any]:
    """Return progress.json, or {} if there is none."""
    path = folder / "progress.json"
    return json.loads(path.read_text()) if path.exists() else {}


def result(folder: Path) -> dict[str, Any]:
    """Return result.json."""
    return json.loads((folder / "result.json").read_text())
