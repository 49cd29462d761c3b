"""What goes into the ledger and what it answers."""

from dataclasses import dataclass
from typing import Any, Literal

from prodgen.jobs.record import JobRecord, Queue, State
from prodgen.jobs.spec import CELL

Held = Literal["held", "lost", "cancelled"]


MAX_RUN = 256
"""Cells a lease at most, so that a page of images finds its manifest among so many names."""

LEASE_PIXELS = 1 << 24
"""Finished pixels a lease at most, about a second of a CPU's work: large images make short leases."""


@dataclass(frozen=True)
class JobEntry:
    """An order of ``total`` images as the ledger knows it; ``created`` in Unix seconds.

    While both wait, a tenant of ``weight`` 2 receives twice the images of a tenant of weight 1. A lease has
    at most ``run`` cells.
    """

    id: str
    tenant: str
    queue: Queue
    total: int
    weight: float = 1.0
    created: float = 0.0
    run: int = MAX_RUN

    def __post_init__(self) -> None:
        if self.total < 1 or not 0 < self.weight < float("inf"):
            raise ValueError("an order has at least one image and a weight above zero")

    @classmethod
    def of(cls, record: JobRecord, weight: float = 1.0) -> "JobEntry":
        """The entry of a job.json."""
        created = record.created.timestamp()
        pixels = (record.spec.finish.size or 1) ** 2  # a model's own size is small, and in its rate already
        run = min(MAX_RUN, max(1, LEASE_PIXELS // (CELL * pixels)))
        return cls(record.id, record.tenant, record.spec.priority, record.total, weight, created, run)


@dataclass(frozen=True)
class Lease:
    """The right to make cells [first, first + cells) of a job, until its deadline.

    ``alone``: one of these cells may have killed a worker before, so nothing else runs beside it.
    """

    token: str
    job: str
    tenant: str
    first: int
    cells: int
    alone: bool


@dataclass(frozen=True)
class Progress:
    """Where a job stands: ``done`` counts images, ``dead`` lists the cells that were set aside."""

    id: str
    tenant: str
    queue: Queue
    state: State
    total: int
    done: int
    dead: list[int]
    error: str | None
    created: float
    updated: float


@dataclass(frozen=True)
class Backlog:
    """What a queue owes: ``images`` not leased, the age of the oldest job among them, and leases held."""

    queue: Queue
    images: int
    oldest_seconds: float
    leases: int


@dataclass(frozen=True)
class Event:
    """A change of a job; ``id`` resumes the stream after it. ``data``: type, state, done, total."""

    id: str
    type: Literal["state", "progress"]
    data: dict[str, Any]
