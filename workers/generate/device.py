"""The device of a generating worker: its engine, its models in memory, and the leases that it holds."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from math import isfinite

from pydantic import ValidationError

from prodgen.errors import ProdgenError, Unsupported
from prodgen.generation.engine import Engine
from prodgen.generation.request import Cancelled, Response
from prodgen.jobs.items import JobImages
from prodgen.jobs.record import JobRecord, load_record
from prodgen.ledger.entries import Lease, Queue
from prodgen.models import SavedModel
from prodgen.photographs.studio import Studio
from prodgen.spec.validation_errors import explain
from workers.deployment import Deployment, deployment
from workers.generate.condition import Condition, end_process
from workers.generate.metrics import observe
from workers.generate.models import ModelCache
from workers.generate.photographs import PictureResponse
from workers.generate.rates import RateMeter

log = logging.getLogger("prodgen.worker")

SLOTS: dict[Queue, int] = {"interactive": 6, "bulk": 2}
"""For each queue, how many leases a worker makes at once.

Together they are the 8 threads of a worker, so one queue cannot use all threads. While the device makes the
images of one bulk lease, the CPU encodes and stores those of the other.
"""
LEASE_SECONDS = 0.75
"""The seconds of work in one lease. A crash loses at most this much work of each lease."""


@dataclass
class Held:
    """A lease whose images this worker makes.

    ``moved``: the monotonic time of its last progress. ``batches``: how many batches the engine had made at
    that time. ``response``: the images in the making; cancelled if the lease is lost or its job is cancelled.
    ``lost``: whether the ledger has said so.
    """

    response: Response | PictureResponse | None = None
    batches: int = 0
    lost: bool = False
    moved: float = field(default_factory=time.monotonic)

    def advance(self) -> None:
        """Record that the lease has made progress now.

        Raises Cancelled if the lease is lost before its images are in the making.
        """
        if self.lost and self.response is None:
            raise Cancelled
        self.moved = time.monotonic()


class Device:
    """The device of one process and its leases. The threads of the process share it.

    ``shut_out``: whether an audit has shut the machine out, so that the ledger gives it no lease. While
    ``draining`` is set, the device takes no new lease, but continues the work that has begun.
    ``end(seconds)`` ends the process; the device calls it when it drains, hangs or has too many faults.
    """

    def __init__(self, deployment: Deployment, end: Callable[[float], None] = end_process) -> None:
        self.settings, self.store, self.ledger = deployment.settings, deployment.store, deployment.ledger
        self.engine = Engine(observe=observe)
        self.rates = RateMeter()
        machine = self.settings.machine or socket.gethostname()
        self.name = f"{machine}-{os.getpid()}-{secrets.token_hex(3)}"
        self.shut_out = False
        self.draining = threading.Event()
        self._slots = {queue: threading.Semaphore(slots) for queue, slots in SLOTS.items()}
        self._held: dict[str, Held] = {}
        self._end_process = end
        self.condition = Condition(self.engine, self.settings.stall_seconds, self._end)
        folder, budget = self.settings.model_cache.expanduser(), self.settings.model_memory_mb << 20
        self.models = ModelCache(self.store, self.engine, folder, budget, self._models_in_use)
        self.job = lru_cache(64)(self._read_job)
        threading.Thread(target=self._renew, name="renew", daemon=True).start()

    @contextmanager
    def slot(self, queue: Queue) -> Iterator[bool]:
        """Take a slot for a lease of ``queue`` until the end of the block. Yields False if none is free."""
        taken = self._slots[queue].acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._slots[queue].release()

    def _read_job(self, tenant: str, job: str) -> tuple[JobRecord, JobImages]:
        """Return a job and its images. Raises ProdgenError if its files in the store are incomplete.

        Raises Unsupported if this version of prodgen cannot read job.json, because a later version wrote it.
        """
        try:
            record = load_record(self.store, tenant, job)
        except ValidationError as error:
            raise Unsupported(f"its job.json cannot be read here: {explain(error, 'it')}") from None
        return record, JobImages(self.store, record)

    def loaded_model(self, lease: Lease) -> SavedModel | Studio | None:
        """Return the model of a lease, or None if the model is not in memory."""
        with suppress(ProdgenError):
            return self.models.find(self.job(lease.tenant, lease.job)[0].model)
        return None

    def record(self, lease: Lease) -> JobRecord | None:
        """Return the job of a lease, or None if the job's files cannot be read."""
        with suppress(ProdgenError):
            return self.job(lease.tenant, lease.job)[0]
        return None

    def _models_in_use(self) -> set[str]:
        return {held.response.request.model.id for held in list(self._held.values()) if held.response}

    def capacity(self) -> int:
        """Return how many images to lease: what the slowest recent model makes in `LEASE_SECONDS`."""
        rates = (loaded.rate for loaded in self.models.recent())
        slowest = min(filter(isfinite, rates), default=0.0)
        return max(1, int(slowest * LEASE_SECONDS))

    @contextmanager
    def holding(self, token: str) -> Iterator[Held]:
        """Renew the lease ``token`` until the end of the block, as long as the lease makes progress.

        Yields the `Held`, on which the block records its progress.
        """
        held = self._held[token] = Held()
        try:
            yield held
        finally:
            self._held.pop(token, None)

    def _renew(self) -> None:
        while True:
            if self.engine.batch_seconds > self.settings.stall_seconds:
                self.condition.give_up(f"the device has hung for {self.engine.batch_seconds:.0f} s")
                return
            try:
                self._renew_leases()
                if not self.draining.is_set():
                    self.shut_out = not self.ledger.report_worker(self.name, self.rates.take())
            except Exception as error:  # this thread must survive any failure of Redis
                log.warning("leases and rates were not reported: %s", error)
            time.sleep(self.settings.lease_seconds / 4)

    def _renew_leases(self) -> None:
        if tokens := self._advancing():
            for token, answer in self.ledger.renew(tokens).items():
                if answer != "held":
                    if held := self._held.get(token):
                        held.lost = True
                    self._cancel(token, answer)

    def _advancing(self) -> list[str]:
        """Return the tokens of the leases with progress in the last ``stall_seconds``. Cancels all others.

        A lease that waits for the engine counts as making progress while the engine makes any batches.
        """
        now, batches, advancing = time.monotonic(), self.engine.batches, []
        for token, held in list(self._held.items()):
            if held.response and not held.response.complete and held.batches != batches:
                held.moved, held.batches = now, batches
            if now - held.moved < self.settings.stall_seconds:
                advancing.append(token)
            else:
                self._cancel(token, "stalled")
        return advancing

    def _cancel(self, token: str, why: str) -> None:
        held = self._held.get(token)
        if held and held.response:
            log.info("lease %s is %s", token, why)
            held.response.cancel()

    def drain(self) -> None:
        """Take no new leases. After ``stop_seconds`` give back the leases that are still held, and end."""
        if not self.draining.is_set():
            self.draining.set()
            timer = threading.Timer(self.settings.stop_seconds, self._end, [0.0])
            timer.daemon = True  # a process that has finished its leases ends before
            timer.start()

    def _end(self, seconds: float) -> None:
        """Take no new leases, and end the process within ``seconds``.

        If ``seconds`` is 0, first gives the held leases back.
        """
        self.draining.set()
        if not seconds:
            self.release()
        self._end_process(seconds)

    def release(self) -> None:
        """Give every lease that is still held back to the ledger."""
        for token in list(self._held):
            with suppress(ProdgenError):
                self.ledger.release(token)


@cache
def device() -> Device:
    """Return this process's device, made at the first call."""
    return Device(deployment())
