"""Decides whether a worker is fit to work: counts its faults, and ends the process when it is not.

After a failure the worker makes one small test image. If the test image succeeds, the images of the lease
are to blame; if it fails, the failure is a fault of the worker. Errors of the disk and of memory are always
faults of the worker. MAX_FAULTS faults in a row end the process.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable

from prodgen.errors import ProdgenError
from prodgen.generation.engine import Engine
from prodgen.generation.request import Request
from prodgen.models import SavedModel
from prodgen.photographs.studio import Studio
from prodgen.spec.order import ImageRequest, resolve_attributes

log = logging.getLogger("prodgen.worker")

MAX_FAULTS = 2
"""Faults in a row, with no lease completed between them, after which the worker ends."""
GRACE = 20.0
"""Seconds after which a process that was asked to end is killed."""


class Condition:
    """The condition of one worker. ``end(seconds)`` must end the process within so many seconds."""

    def __init__(self, engine: Engine, stall_seconds: float, end: Callable[[float], None]) -> None:
        self._engine, self._stall_seconds, self._end = engine, stall_seconds, end
        self._faults = 0
        self.problem: str | None = None

    def is_at_fault(self, error: Exception, model: SavedModel | Studio | None) -> bool:
        """Return whether a failure is the worker's fault, and not that of the images."""
        if isinstance(error, OSError | MemoryError):
            return True
        if isinstance(error, ProdgenError) or not isinstance(model, SavedModel):
            return False  # photographs use neither the engine nor its device
        images = resolve_attributes(
            model.config.attributes, [ImageRequest(index=0, seed=0, draw=0, attributes={})]
        )
        response = self._engine.submit(Request(model, images, priority=2))
        timer = threading.Timer(self._stall_seconds, response.cancel)
        timer.start()
        try:
            return len([*response]) != 1
        except Exception:  # of any kind: even a plain image cannot be made here
            return True
        finally:
            timer.cancel()

    def completed(self) -> None:
        """Note that a lease was completed."""
        self._faults = 0

    def fault(self, error: Exception) -> None:
        """Note a failure that was the worker's fault. The second in a row ends the worker."""
        self._faults += 1
        if self._faults >= MAX_FAULTS and self.problem is None:
            self.give_up(f"{self._faults} failures in a row, the last: {error}", GRACE)

    def give_up(self, problem: str, seconds: float = 0.0) -> None:
        """End the worker, which its supervisor starts again."""
        self.problem = problem
        log.critical("this worker ends: %s", problem)
        self._end(seconds)


def end_process(seconds: float) -> None:
    """Let Celery stop this worker. Kill the process after ``seconds`` if it has not ended by then."""
    killer = threading.Timer(seconds, os._exit, [70])
    killer.daemon = True
    killer.start()
    os.kill(os.getpid(), signal.SIGTERM)
