"""What goes into the ledger and what it answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Queue = Literal["interactive", "bulk"]
State = Literal["queued", "running", "finishing", "succeeded", "partial", "failed", "cancelled"]
TERMINAL: tuple[State, ...] = ("succeeded", "partial", "failed", "cancelled")

Held = Literal["held", "lost", "cancelled"]


MAX_LEASE_CELLS = 256
"""The most cells of one lease. The bound lets a page of images find its manifest among as many names."""


@dataclass(frozen=True)
class JobEntry:
    """An order of ``total`` images as the ledger knows it; ``created`` in Unix seconds.

    While both wait, a tenant of ``weight`` 2 receives twice the images of a tenant of weight 1. A lease has
    at most ``lease_cells`` cells.
    """

    id: str
    tenant: str
    queue: Queue
    total: int
    weight: float = 1.0
    created: float = 0.0
    lease_cells: int = MAX_LEASE_CELLS

    def __post_init__(self) -> None:
        if self.total < 1 or not 0 < self.weight < float("inf"):
            raise ValueError("an order has at least one image and a weight above zero")


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


class JobState(BaseModel):
    """state.json: how the job ended. ``done`` counts images; ``dead`` lists the cells that were set aside."""

    model_config = ConfigDict(frozen=True)

    state: Literal["succeeded", "partial", "failed", "cancelled"]
    done: int
    dead: list[int] = []
    error: str | None = None
    finished: datetime
