"""The services that all routes share: the store, the ledger and the API keys of the deployment."""

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

from anyio import CapacityLimiter, Semaphore
from fastapi import Depends, Request

from api_gateway.changes import Changes
from api_gateway.event_reader import EventReader
from prodgen.access import KeyRing
from prodgen.errors import ProdgenError, Unavailable
from prodgen.ledger.entries import Queue
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost
from prodgen.recovery import ensure
from prodgen.settings import Settings
from prodgen.storage.base import Store

log = logging.getLogger("prodgen.gateway")

DoorbellQueue = Queue | Literal["training"]
RingDoorbells = Callable[[DoorbellQueue, int], None]
"""A function that sends doorbells. Its arguments are a queue and the number of doorbells."""

EVENT_THREADS = 8
"""Largest number of threads that read events, for all streams together. Other requests use other threads."""
STRANGER_THREADS = 8
"""Largest number of threads that look for unknown API keys in the store. Other requests use other threads."""
UPLOADS_PER_TENANT = 4
"""Uploads of one tenant at a time. They fill half of the 512 MiB that Compose gives to temporary files."""


@dataclass
class Deployment:
    """The services of one deployment, as the gateway uses them."""

    settings: Settings
    store: Store
    ledger: Ledger
    keys: KeyRing
    ring_doorbells: RingDoorbells
    event_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(EVENT_THREADS))
    stranger_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(STRANGER_THREADS))
    upload_slots: defaultdict[str, Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: Semaphore(UPLOADS_PER_TENANT))
    )
    """A semaphore for each tenant that limits its uploads. Only code in the event loop may use it."""
    event_streams: Counter[str] = field(default_factory=Counter)
    """The number of open event streams of each tenant. Only code in the event loop may use it."""
    changes: Changes = field(init=False)
    event_reader: EventReader = field(init=False)
    _rebuilding: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.changes = Changes(self.ledger)
        self.event_reader = EventReader(self.ledger, self.keys, self.changes)

    def ring(self, queue: DoorbellQueue, times: int) -> None:
        """Send ``times`` doorbells to a queue. Only logs a failure: maintenance sends the doorbells again."""
        try:
            self.ring_doorbells(queue, times)
        except Exception as error:
            log.warning("the doorbell of %s was not rung: %s", queue, error)

    def note_failure(self, error: Unavailable) -> None:
        """Log that a service does not answer. If the ledger is lost, start to rebuild it."""
        log.warning("unavailable: %s", error)
        if isinstance(error, LedgerLost):
            self.rebuild()

    def rebuild(self) -> None:
        """Start a thread that rebuilds a lost ledger from the store, unless the thread runs already."""
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


async def _deployment(request: Request) -> Deployment:
    found: Deployment = request.app.state.deployment
    return found


DeploymentDep = Annotated[Deployment, Depends(_deployment)]


def ring_workers(queue: DoorbellQueue, times: int) -> None:
    """Send ``times`` doorbells to the Celery workers of a queue."""
    from workers.app import ring  # at the first order, because Celery takes long to load

    ring(queue, times)
