"""What a generating worker adds to its deployment: an engine, the models in memory, and the leases it holds.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache

from prodgen.errors import ProdgenError
from prodgen.generation.engine import Engine, Response
from prodgen.jobs.files import load_record
from prodgen.jobs.record import JobRecord
from prodgen.jobs.submission import load_images
from prodgen.models import SavedModel
from prodgen.spec.order import Expansion
from workers.deployment import Deployment, deployment
from workers.generate.models import ModelCache

log = logging.getLogger("prodgen.worker")

BULK_SLOTS = 2
"""Bulk leases in flight: one on the device while the other is encoded and stored."""
LEASE_SECONDS = 0.75
"""Work of this device in one lease, in seconds. A crash loses as much."""


class Device:
    """The device of one process and its leases. The threads of the process share it."""

    def __init__(self, deployment: Deployment) -> None:
        self.settings, self.store, self.ledger = deployment.settings, deployment.store, deployment.ledger
        self.engine = Engine()
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.draining = threading.Event()
        self._slots = threading.Semaphore(BULK_SLOTS)
        self._held: dict[str, Response | None] = {}
        folder, budget = self.settings.model_cache.expanduser(), self.settings.model_memory_mb << 20
        self.models = ModelCache(self.store, self.engine, folder, budget, self._models_in_use)
        self._job = lru_cache(64)(self._read_job)
        threading.Thread(target=self._renew, name="renew", daemon=True).start()

    @contextmanager
    def bulk_slot(self) -> Iterator[bool]:
        """Take a slot for bulk work until the end of the block. Yields False if all slots are taken."""
        taken = self._slots.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._slots.release()

    def has_bulk_slot(self) -> bool:
        """Return whether a slot for bulk work is free."""
        with self.bulk_slot() as free:
            return free

    def job(self, tenant: str, job: str) -> tuple[JobRecord, Expansion]:
        """Return a job and its images. Raises ProdgenError if its files in the store are incomplete."""
        return self._job(tenant, job)

    def _read_job(self, tenant: str, job: str) -> tuple[JobRecord, Expansion]:
        record = load_record(self.store, tenant, job)
        return record, load_images(self.store, record)

    def model(self, ref: str, tenant: str | None) -> SavedModel:
        """Return a model version, loaded and tuned."""
        return self.models.load(ref, tenant)

    def _models_in_use(self) -> set[str]:
        return {response.request.model.ref for response in list(self._held.values()) if response}

    def capacity(self) -> int:
        """Return the images of one lease: what the slowest recent model makes in `LEASE_SECONDS`."""
        slowest = min((loaded.rate for loaded in self.models.recent()), default=0.0)
        return max(1, int(slowest * LEASE_SECONDS))

    @contextmanager
    def holding(self, token: str) -> Iterator[None]:
        """Renew a lease until the end of the block."""
        self._held[token] = None
        try:
            yield
        finally:
            self._held.pop(token, None)

    def attach(self, token: str, response: Response) -> None:
        """Cancel the response when the lease is lost or its job is cancelled."""
        self._held[token] = response

    def _renew(self) -> None:
        while True:
            time.sleep(self.settings.lease_seconds / 4)
            tokens = list(self._held)
            if not tokens:
                continue
            try:
                answers = self.ledger.renew(tokens)
            except Exception as error:  # this thread must survive any failure of Redis
                log.warning("leases were not renewed: %s", error)
                continue
            for token, held in answers.items():
                response = self._held.get(token)
                if held != "held" and response is not None:
                    log.info("lease %s is %s", token, held)
                    response.cancel()

    def drain(self) -> None:
        """Lease nothing more. Work in flight goes on until it ends or `release` is called."""
        self.draining.set()

    def release(self) -> None:
        """Return every lease that is still held to the ledger."""
        for token in list(self._held):
            with suppress(ProdgenError):
                self.ledger.release(token)


@cache
def device() -> Device:
    """Return this process's device, made at the first call."""
    return Device(deployment())
