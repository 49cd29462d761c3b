"""The types of the ledger of jobs: what callers pass to it, and what it returns.

The order of the fields of `JobEntry` and `Lease` is that of the arguments and answers of the scripts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Queue = Literal["interactive", "bulk"]
State = Literal["queued", "running", "paused", "finishing", "succeeded", "partial", "failed", "cancelled"]
TERMINAL: tuple[State, ...] = ("succeeded", "partial", "failed", "cancelled")

Held = Literal["held", "lost", "cancelled"]


MAX_LEASE_CELLS = 256
"""The most cells of one lease. It bounds how many keys must be listed to find the manifest of an image."""


@dataclass(frozen=True)
class JobEntry:
    """A job of ``total`` images. ``created`` is in Unix seconds.

    While both wait, a tenant of ``weight`` 2 receives twice the images of a tenant of weight 1. A lease has
    at most ``lease_cells`` cells. ``model`` is the resolved ``name@version``. No lease is given of a
    ``paused`` job. ``retries`` counts how often its failed cells were owed again after its end. ``finish_by``
    is the Unix time of its deadline, or 0.
    """

    id: str
    tenant: str
    queue: Queue
    total: int
    weight: float = 1.0
    created: float = 0.0
    lease_cells: int = MAX_LEASE_CELLS
    model: str = ""
    paused: bool = False
    retries: int = 0
    finish_by: float = 0.0

    def __post_init__(self) -> None:
        if self.total < 1 or not 0 < self.weight < float("inf"):
            raise ValueError("a job has at least one image and a weight above zero")


@dataclass(frozen=True)
class Lease:
    """The right to make the cells [first, first + cells) of a job until a deadline.

    ``alone``: the cells may have killed a worker before, so this worker makes nothing else meanwhile.
    ``queue``: the queue of the job when the lease was given.
    """

    token: str
    job: str
    tenant: str
    first: int
    cells: int
    alone: bool
    queue: Queue = "bulk"


@dataclass(frozen=True)
class Progress:
    """A job's state. ``done`` counts images, and ``failed`` those of the cells that were set aside.

    ``model`` is the ``name@version``; "" for a job that an older version has entered. ``owed`` counts the
    images that no lease has taken.
    """

    id: str
    tenant: str
    queue: Queue
    state: State
    total: int
    done: int
    failed: int
    error: str | None
    created: float
    updated: float
    model: str = ""
    retries: int = 0
    owed: int = 0


@dataclass(frozen=True)
class Backlog:
    """How many images of a queue no lease has taken, the age of the oldest job with such images, how many
    leases workers hold, and how many leases were lost with their workers.

    ``models``: the images by ``name@version``; under "" those of jobs that an older version has entered.
    """

    queue: Queue
    images: int
    oldest_seconds: float
    leases: int
    lost: int = 0
    models: dict[str, int] = field(default_factory=dict)


UNKNOWN_RATE = 50.0
"""Images a second that one worker is taken to make of a model of which no worker has made any image yet."""


@dataclass(frozen=True)
class Rates:
    """How many generating workers are alive, and how many images of each model one of them makes in a second.

    The ledger keeps the rate of a model after the workers that measured it have stopped, so that the time of
    work can be estimated without workers.
    """

    workers: int
    by_model: dict[str, float]

    def seconds(self, model: str, images: int) -> float:
        """Return the seconds in which one worker makes ``images`` images of ``model``."""
        return images / self.by_model.get(model, UNKNOWN_RATE)

    def wait(self, models: Iterable[tuple[str, int]]) -> float | None:
        """Return the seconds in which all workers make so many images of each model; None without workers."""
        return sum(self.seconds(*work) for work in models) / self.workers if self.workers else None


@dataclass(frozen=True)
class QuotaRefusal:
    """Why there is no room for an order: the limit, the images that count already, seconds until midnight."""

    limit: Literal["day", "queued"]
    used: int
    midnight: int


class CellError(BaseModel, frozen=True):
    """Why a cell was set aside, and how often it was tried alone."""

    attempts: int
    error: str


@dataclass(frozen=True)
class Event:
    """A change of a job. ``id`` is its place in the stream; ``data`` has type, state, done and total."""

    id: str
    type: Literal["state", "progress"]
    data: dict[str, Any]


class JobState(BaseModel):
    """state.json: how a job ended. ``done`` counts images; ``dead`` lists the cells that were set aside.

    ``bytes`` is the size of the images in the store; None in a file of an older version. ``retries`` counts
    how often the failed cells were owed again before this end. ``done_before`` and ``bytes_before`` are
    the ``done`` and the ``bytes`` of the end before the last retry. ``errors`` has the error of each
    dead cell, for at most 1000 cells. ``root`` is the Merkle root of the images that are there; None for a
    cancelled job, and in a file of an older version. ``withdrawn`` and ``bytes_withdrawn`` count images that
    an audit took back after this end; they were delivered, so a retry that makes them again adds nothing.
    """

    model_config = ConfigDict(frozen=True)

    state: Literal["succeeded", "partial", "failed", "cancelled"]
    done: int
    dead: list[int] = []
    error: str | None = None
    errors: dict[int, CellError] = {}
    finished: datetime
    bytes: int | None = None
    retries: int = 0
    done_before: int = 0
    bytes_before: int = 0
    root: str | None = None
    withdrawn: int = 0
    bytes_withdrawn: int = 0
