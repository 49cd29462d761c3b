"""A worker's own things: its engine, its models, its slots, and the leases it holds."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache

from prodgen.connections import connect_ledger
from prodgen.errors import ProdgenError
from prodgen.generation.engine import Engine, Ticket
from prodgen.jobs.record import JobRecord
from prodgen.jobs.submission import find_record, load_images
from prodgen.models import SavedModel
from prodgen.settings import Settings, settings
from prodgen.spec.order import Expansion
from prodgen.storage import connect
from workers.generate.models import Shelf

log = logging.getLogger("prodgen.worker")

BULK_SLOTS = 2
"""Bulk leases in flight: one on the device while the other is encoded and stored."""
LEASE_WORTH = 0.75
"""Seconds of this device's work in one lease: what a crash loses."""


class Station:
    """One a process, shared by its threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = connect(settings)
        self.ledger = connect_ledger(settings)
        self.engine = Engine()
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.draining = threading.Event()
        self._slots = threading.Semaphore(BULK_SLOTS)
        self._held: dict[str, Ticket | None] = {}
        cache, budget = settings.model_cache.expanduser(), settings.model_memory_mb << 20
        self.shelf = Shelf(self.store, self.engine, cache, budget, self._models_in_use)
        self._job = lru_cache(64)(self._read_job)
        threading.Thread(target=self._renew, name="renew", daemon=True).start()

    @contextmanager
    def bulk_slot(self) -> Iterator[bool]:
        """Whether one of the slots for bulk work was free; if so it is taken until the end of the block."""
        taken = self._slots.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._slots.release()

    def has_bulk_slot(self) -> bool:
        """Whether a doorbell that rings now would find a slot."""
        with self.bulk_slot() as free:
            return free

    def job(self, tenant: str, job: str) -> tuple[JobRecord, Expansion]:
        """What was ordered; raises ProdgenError if the store does not hold it whole."""
        return self._job(tenant, job)

    def _read_job(self, tenant: str, job: str) -> tuple[JobRecord, Expansion]:
        record = find_record(self.store, tenant, job)
        if record is None:
            raise ProdgenError(f"job {job} has no job.json in the store")
        return record, load_images(self.store, record)

    def model(self, ref: str, tenant: str | None) -> SavedModel:
        """A version, loaded and tuned."""
        return self.shelf.model(ref, tenant)

    def _models_in_use(self) -> set[str]:
        """The models that leases are worked off with."""
        return {ticket.request.model.ref for ticket in list(self._held.values()) if ticket}

    def capacity(self) -> int:
        """Images of one lease: what the slowest model in use makes in `LEASE_WORTH`."""
        slowest = min((warm.rate for warm in self.shelf.recent()), default=0.0)
        return max(1, int(slowest * LEASE_WORTH))

    @contextmanager
    def holding(self, token: str) -> Iterator[None]:
        """Renew the lease until the end of the block."""
        self._held[token] = None
        try:
            yield
        finally:
            self._held.pop(token, None)

    def attach(self, token: str, ticket: Ticket) -> None:
        """Let the ticket be cancelled when the lease turns out to be lost or its job cancelled."""
        self._held[token] = ticket

    def _renew(self) -> None:
        while True:
            time.sleep(self.settings.lease_seconds / 4)
            tokens = list(self._held)
            if not tokens:
                continue
            try:
                answers = self.ledger.renew(tokens)
            except Exception as error:  # this thread must outlive whatever happens to Redis
                log.warning("leases not renewed: %s", error)
                continue
            for token, standing in answers.items():
                ticket = self._held.get(token)
                if standing != "held" and ticket is not None:
                    log.info("lease %s is %s", token, standing)
                    ticket.cancel()

    def drain(self) -> None:
        """Take nothing new: what is in flight is finished, or handed back at `leave`."""
        self.draining.set()

    def leave(self) -> None:
        """Hand back whatever is still held."""
        for token in list(self._held):
            with suppress(ProdgenError):
                self.ledger.release(token)


@cache
def station() -> Station:
    """This process's station, made at its first use."""
    return Station(settings())
