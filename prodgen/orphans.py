"""Processes that do not outlive the one that started them."""

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
    """On Linux this process is killed with its parent, should that die without stopping it."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def live_on(lease: Path) -> None:
    """End this process once the time in ``lease`` is over: seconds of the machine's monotonic clock.

    Whoever owns the process moves the time on while it may live. One that was asleep ends before it does
    anything else that could be seen, give or take a second.
    """

    def watch() -> None:
        while _until(lease) > time.monotonic():
            time.sleep(1.0)
        print(f"the lease in {lease} is over", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=watch, name="lease", daemon=True).start()


def _until(lease: Path) -> float:
    try:
        return float(lease.read_text())
    except (OSError, ValueError):
        return 0.0
