"""A node's right to work on a run: renewed from a thread of its own, whatever the store does meanwhile.

What cannot be renewed in time ends by itself: the processes are killed before the roster may give the run to
others, and should this thread be frozen or dead, they end themselves when the time that they were given last
is over (`prodgen.training.process` reads the file).
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prodgen.errors import Unavailable
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import Assignment, RunLeaseState

log = logging.getLogger("prodgen.training")

SAFETY = 0.75
"""Share of a lease after which what could not be renewed ends itself."""


class Tenure:
    """``progress()``: how far the run is, for its host to tell. ``lost()``: ends all that works for it.

    ``file``: until when, in seconds of the machine's monotonic clock, the processes may live.
    """

    def __init__(
        self,
        roster: Roster,
        part: Assignment,
        node: str,
        file: Path,
        progress: Callable[[], dict[str, Any]],
        lost: Callable[[], None],
    ) -> None:
        self.roster, self.part, self.node, self.file = roster, part, node, file
        self.held: RunLeaseState = "held"
        self._progress, self._lost = progress, lost
        self._over = threading.Event()
        self._parent = os.getppid()
        self._until = self._after(time.monotonic())
        threading.Thread(target=self._keep, name="tenure", daemon=True).start()

    def end(self) -> None:
        """Renew no more."""
        self._over.set()

    def _after(self, asked: float) -> float:
        until = asked + SAFETY * self.roster.lease_seconds
        partial = self.file.with_suffix(".part")
        partial.write_text(str(until))
        partial.replace(self.file)
        return until

    def _keep(self) -> None:
        pause = min(1.0, self.roster.lease_seconds / 8)
        while not self._over.wait(pause):
            if os.getppid() != self._parent:
                self._give_up("its worker is dead")
                os._exit(1)
            asked, told = time.monotonic(), self._progress()
            try:
                held = self.roster.renew(self.part, self.node, int(told.get("step", 0)), told)
                self._until = self._after(asked)
            except Unavailable:
                held = "lost" if asked > self._until else self.held
            except Exception:  # this thread must outlive whatever is wrong with Redis or the disk
                log.exception("run %s: the lease was not renewed", self.part.run)
                continue
            if held == "lost":
                self._give_up("the lease was lost")
                return
            self.held = held

    def _give_up(self, why: str) -> None:
        log.warning("run %s: %s", self.part.run[:6], why)
        self.held = "lost"
        self._lost()
