"""Make a child process exit when its parent process dies, or when the lease that it works under ends."""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Make Linux kill this process when its parent dies. Does nothing on other systems."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def exit_with_lease(lease: Path) -> None:
    """Exit this process, with status 1, when its lease ends.

    The file ``lease`` has the value of `time.monotonic` at which the lease ends. The lease also ends when the
    file is gone. To extend the lease, the owner of this process writes a larger number. A background thread
    reads the file every second, so a process that was suspended for too long exits when it resumes.
    """

    def watch() -> None:
        while _end_of(lease) > time.monotonic():
            time.sleep(1.0)
        print(f"the lease in {lease} is over", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=watch, name="lease", daemon=True).start()


def _end_of(lease: Path) -> float:
    try:
        return float(lease.read_text())
    except (OSError, ValueError):
        return 0.0
