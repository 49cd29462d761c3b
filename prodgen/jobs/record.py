"""The two files of a job in the store: what was ordered (job.json), and how it ended (state.json)."""

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from prodgen.ledger.entries import MAX_LEASE_CELLS, JobEntry
from prodgen.spec.order import CELL, JobSpec, cells

LEASE_PIXELS = 1 << 24
"""The most finished pixels of one lease, about a second of a CPU's work: large images make short leases."""


class JobRecord(BaseModel):
    """job.json: written before the order is acknowledged, never changed after.

    ``model`` is the resolved ``name@version`` and ``model_prefix`` that version's folder in the store, so
    that a job never mixes versions. ``items`` tells whether items.jsonl lies beside it.
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

    @property
    def cells(self) -> int:
        """How many cells the order is cut into."""
        return cells(self.total)

    def indices(self, first: int, count: int) -> range:
        """The image indices of ``count`` cells from cell ``first``."""
        return range(first * CELL, min((first + count) * CELL, self.total))

    def entry(self, weight: float = 1.0) -> JobEntry:
        """The job as the ledger knows it; ``weight`` is the tenant's."""
        pixels = (self.spec.finish.size or 1) ** 2  # a model's own size is small, and in its rate already
        lease_cells = min(MAX_LEASE_CELLS, max(1, LEASE_PIXELS // (CELL * pixels)))
        created = self.created.timestamp()
        return JobEntry(self.id, self.tenant, self.spec.priority, self.total, weight, created, lease_cells)


def request_digest(body: JobSpec) -> str:
    """Tells a repeated request from a different one under the same idempotency key."""
    return hashlib.sha256(body.model_dump_json(exclude_defaults=True).encode()).hexdigest()
