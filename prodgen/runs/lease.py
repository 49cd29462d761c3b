"""A node's lease on a run.

A background thread renews the lease, so that a slow store does not delay the renewal. If the lease cannot be
renewed in time, the thread kills the run's processes before the roster may give the run to other nodes. If
the thread is frozen or dead, the processes exit when the time in the lease file has passed
(`prodgen.child_process.exit_with_lease`).
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prodgen.errors import Unavailable
from prodgen.files import replacing
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import Assignment, RunLeaseState

log = logging.getLogger("prodgen.training")

SAFETY = 0.75
"""A node treats its lease as lost when this share of the lease's time has passed without a renewal."""


class RunLease:
    """Renews a node's lease on a run until `stop` is called. ``state``: the last answer of the roster.

    ``file`` holds the time until which the run's processes may live, in seconds of the machine's monotonic
    clock. ``progress()`` returns the progress that the host reports. ``on_lost()`` must kill the processes.
    """

    def __init__(
        self,
        roster: Roster,
        assignment: Assignment,
        node: str,
        file: Path,
        progress: Callable[[], dict[str, Any]],
        on_lost: Callable[[], None],
    ) -> None:
        self.roster, self.assignment, self.node, self.file = roster, assignment, node, file
        self.state: RunLeaseState = "held"
        self._progress, self._on_lost = progress, on_lost
        self._stopped = threading.Event()
        self._parent = os.getppid()
        self._until = self._extend(time.monotonic())
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def stop(self) -> None:
        """Stop renewing the lease."""
        self._stopped.set()

    def _extend(self, asked: float) -> float:
        """Return the time until which a lease renewed at ``asked`` is safe. Also write it to ``file``."""
        until = asked + SAFETY * self.roster.lease_seconds
        with replacing(self.file) as partial:
            partial.write_text(str(until))
        return until

    def _renew(self) -> None:
        pause = min(1.0, self.roster.lease_seconds / 8)
        while not self._stopped.wait(pause):
            if os.getppid() != self._parent:
                self._lose("its worker is dead")
                os._exit(1)
            asked = time.monotonic()
            try:
                progress = self._progress()
                state = self.roster.renew(self.assignment, self.node, int(progress.get("step", 0)), progress)
                self._until = self._extend(asked)
            except Unavailable:
                state = "lost" if asked > self._until else self.state
            except Exception:  # this thread must survive a full disk and errors of Redis
                log.exception("run %s: the lease was not renewed", self.assignment.run)
                continue
            if state == "lost":
                self._lose("the lease was lost")
                return
            self.state = state

    def _lose(self, why: str) -> None:
        log.warning("run %s: %s", self.assignment.run[:6], why)
        self.state = "lost"
        self._on_lost()
