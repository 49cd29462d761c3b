"""What the routes share: one of each a process."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from anyio import CapacityLimiter
from fastapi import Request

from prodgen.access import KeyRing
from prodgen.errors import ProdgenError, Unavailable
from prodgen.ledger.entries import Queue
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost
from prodgen.recovery import ensure
from prodgen.settings import Settings
from prodgen.storage.base import Store

log = logging.getLogger("prodgen.gateway")

Bell = Queue | Literal["training"]
Ring = Callable[[Bell, int], None]
"""Rings a queue's doorbell so many times."""

LISTENER_THREADS = 8
"""Threads that look for events: however many listen, they take no more from the other requests."""


@dataclass
class Services:
    """``closing`` is set when the process is asked to end, so that event streams end too."""

    settings: Settings
    store: Store
    ledger: Ledger
    keys: KeyRing
    ring_doorbell: Ring
    closing: threading.Event = field(default_factory=threading.Event)
    listeners: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(LISTENER_THREADS))
    _rebuilding: threading.Lock = field(default_factory=threading.Lock)

    def ring(self, queue: Bell, times: int) -> None:
        """Ring; a bell that does not sound is no failure, since maintenance rings again."""
        try:
            self.ring_doorbell(queue, times)
        except Exception as error:
            log.warning("doorbell %s not rung: %s", queue, error)

    def heed(self, error: Unavailable) -> None:
        """Note that something does not answer, and do what can be done about it."""
        log.warning("unavailable: %s", error)
        if isinstance(error, LedgerLost):
            self.rebuild()

    def rebuild(self) -> None:
        """Bring a lost ledger back from the store, in the background, unless that is under way."""
        if self._rebuilding.acquire(blocking=False):
            threading.Thread(target=self._rebuild, name="rebuild", daemon=True).start()

    def _rebuild(self) -> None:
        try:
            if ensure(self.store, self.ledger):
                log.warning("the ledger was lost and is rebuilt from the store")
        except ProdgenError as error:
            log.warning("the ledger is not rebuilt yet: %s", error)
        except Exception:
            log.exception("the ledger could not be rebuilt; the next request tries again")
        finally:
            self._rebuilding.release()


async def services(request: Request) -> Services:
    """Those of the application that answers."""
    found: Services = request.app.state.services
    return found


def ring_workers(queue: Bell, times: int) -> None:
    """The doorbell of the Celery workers; Celery is loaded at the first order, not at the start."""
    from workers.doorbells import ring

    ring(queue, times)
