"""The files of a job in the store: job.json, what was ordered, and state.json, how it ended."""

import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from prodgen.errors import NotFound
from prodgen.ledger.entries import MAX_LEASE_CELLS, JobEntry, JobState
from prodgen.spec.order import CELL, JobSpec, count_cells
from prodgen.storage import keys
from prodgen.storage.base import Store

LEASE_PIXELS = 1 << 24
"""The most finished pixels of one lease, about a second of a CPU's work: large images make short leases."""


class JobRecord(BaseModel):
    """job.json: written before the order is acknowledged, and never changed.

    ``model`` is the resolved ``name@version`` and ``model_prefix`` that version's folder in the store, so a
    job never mixes versions. ``items`` tells whether the job has an items.jsonl. ``request_id`` is the id of
    the HTTP request that placed the order; log lines about the job carry it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str
    created: datetime
    spec: JobSpec
    model: str
    model_prefix: str
    total: int
    packaging: Literal["files", "tar"]
    items: bool = False
    request_digest: str
    request_id: str | None = None

    @property
    def cells(self) -> int:
        """The number of cells of the job."""
        return count_cells(self.total)

    def indices(self, first: int, count: int) -> range:
        """Return the image indices of ``count`` cells from cell ``first``."""
        return range(first * CELL, min((first + count) * CELL, self.total))

    def entry(self, weight: float = 1.0) -> JobEntry:
        """Return the job as the ledger knows it. ``weight`` is the tenant's."""
        pixels = (self.spec.finish.size or 1) ** 2  # a model's own size is small, and already in its rate
        lease_cells = min(MAX_LEASE_CELLS, max(1, LEASE_PIXELS // (CELL * pixels)))
        created = self.created.timestamp()
        return JobEntry(self.id, self.tenant, self.spec.priority, self.total, weight, created, lease_cells)


def request_digest(body: JobSpec) -> str:
    """Return a digest that differs for two different requests under one idempotency key."""
    return hashlib.sha256(body.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def load_record(store: Store, tenant: str, job: str) -> JobRecord:
    """Read job.json: what was ordered. Raises NotFound."""
    return JobRecord.model_validate_json(store.get(keys.job(tenant, job, "job.json")))


def find_record(store: Store, tenant: str, job: str) -> JobRecord | None:
    """Read job.json, or return None if the tenant has no such job."""
    with suppress(NotFound):
        return load_record(store, tenant, job)
    return None


def load_state(store: Store, record: JobRecord) -> JobState | None:
    """Read state.json: how the job ended. Returns None while the job has not ended."""
    with suppress(NotFound):
        return JobState.model_validate_json(store.get(keys.job(record.tenant, record.id, "state.json")))
    return None
