"""Counts a worker's faults, and ends the process of a worker that has MAX_FAULTS faults in a row.

After a failure the worker makes one small test image. If the worker can make the test image, the images of
the lease caused the failure; if not, the failure is a fault of the worker. Errors of the disk and of memory
are always faults of the worker.
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
"""The worker ends after so many faults, if it completes no lease between them."""
GRACE = 20.0
"""Seconds that a process may take to end by itself before it is killed."""


class Condition:
    """The faults of one worker in a row, and the problem that ended the worker, or None.

    A test image may take ``stall_seconds``. ``end(seconds)`` must end the process within ``seconds``.
    """

    def __init__(self, engine: Engine, stall_seconds: float, end: Callable[[float], None]) -> None:
        self._engine, self._stall_seconds, self._end = engine, stall_seconds, end
        self._faults = 0
        self.problem: str | None = None

    def is_at_fault(self, error: Exception, model: SavedModel | Studio | None) -> bool:
        """Return whether the worker caused a failure, True, or the images of its lease, False.

        ``model``: the model of the lease, or None if the model is not in memory.
        """
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
        """Record that the worker has completed a lease, which ends a row of faults."""
        self._faults = 0

    def fault(self, error: Exception) -> None:
        """Record a failure that the worker caused. The second such failure in a row ends the worker."""
        self._faults += 1
        if self._faults >= MAX_FAULTS and self.problem is None:
            self.give_up(f"{self._faults} failures in a row, the last: {error}", GRACE)

    def give_up(self, problem: str, seconds: float = 0.0) -> None:
        """End the worker within ``seconds``, because of ``problem``. Its supervisor starts it again."""
        self.problem = problem
        log.critical("this worker ends: %s", problem)
        self._end(seconds)


def end_process(seconds: float) -> None:
    """Ask Celery to stop this worker. Kills the process if it still runs after ``seconds``."""
    killer = threading.Timer(seconds, os._exit, [70])
    killer.daemon = True
    killer.start()
    os.kill(os.getpid(), signal.SIGTERM)
