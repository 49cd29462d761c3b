"""The two files of a job in the store: what was ordered (job.json), and how it ended (state.json)."""

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from prodgen.jobs.spec import CELL, JobSpec, cells

Queue = Literal["interactive", "bulk"]
State = Literal["queued", "running", "finishing", "succeeded", "partial", "failed", "cancelled"]
TERMINAL: tuple[State, ...] = ("succeeded", "partial", "failed", "cancelled")


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


class JobState(BaseModel):
    """state.json: how the job ended. ``done`` counts images; ``dead`` lists the cells that were set aside."""

    model_config = ConfigDict(frozen=True)

    state: Literal["succeeded", "partial", "failed", "cancelled"]
    done: int
    dead: list[int] = []
    error: str | None = None
    finished: datetime


def job_id(tenant: str, idempotency_key: str) -> str:
    """The id that the same key of the same tenant always gives (24 hex digits)."""
    return hashlib.sha256(f"{tenant}\n{idempotency_key}".encode()).hexdigest()[:24]


def request_digest(body: JobSpec) -> str:
    """Tells a repeated request from a different one under the same idempotency key."""
    return hashlib.sha256(body.model_dump_json(exclude_defaults=True).encode()).hexdigest()
