"""The types of the ledger of jobs: what callers pass to it, and what it returns.

The fields of `JobEntry` and `Lease` have the same order as the arguments and answers of the Lua scripts.
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
"""The maximum number of cells in one lease.

To find the manifest of an image, a reader lists the leases that begin at most this many cells before it.
"""


@dataclass(frozen=True)
class JobEntry:
    """A job of ``total`` images. ``created`` is in Unix seconds.

    While two tenants wait, a tenant of ``weight`` 2 receives twice the images of a tenant of weight 1. A
    lease has at most ``lease_cells`` cells. ``model`` is the resolved ``name@version``. The ledger gives no
    leases of a ``paused`` job. ``retries`` counts how often the job was retried after its end. ``finish_by``
    is the Unix time of the job's deadline; 0: no deadline.
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

    ``alone``: the cells are suspect (they may have killed a worker), so the worker makes nothing else at the
    same time. ``queue``: the queue of the job when the ledger gave the lease.
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
    """A job's state and its counts of images.

    ``done``: images that are made. ``failed``: images of cells that were set aside. ``owed``: images that no
    lease has taken. ``model``: the ``name@version``; "" if an older version of prodgen entered the job.
    ``created`` and ``updated`` are in Unix seconds.
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
    """The work that a queue owes.

    ``images``: images that no lease has taken. ``oldest_seconds``: the age of the oldest job with such
    images. ``leases``: leases that workers hold. ``lost``: leases that ended because the worker died.
    ``models``: ``images`` by ``name@version``; the key "" has the images of jobs without a known model.
    """

    queue: Queue
    images: int
    oldest_seconds: float
    leases: int
    lost: int = 0
    models: dict[str, int] = field(default_factory=dict)


UNKNOWN_RATE = 50.0
"""The assumed rate (images a second of one worker) of a model whose rate no worker has measured yet."""


@dataclass(frozen=True)
class Rates:
    """The number of generating workers that are alive, and the rate of each model.

    ``by_model``: the images that one worker makes in a second, by ``name@version``. The ledger keeps a rate
    after the workers that measured it have stopped.
    """

    workers: int
    by_model: dict[str, float]

    def seconds(self, model: str, images: int) -> float:
        """Return the seconds that one worker needs to make ``images`` images of ``model``."""
        return images / self.by_model.get(model, UNKNOWN_RATE)

    def wait(self, models: Iterable[tuple[str, int]]) -> float | None:
        """Return the seconds that all workers together need to make the images in ``models``.

        ``models``: pairs of a model and its number of images. Returns None if no worker is alive.
        """
        return sum(self.seconds(*work) for work in models) / self.workers if self.workers else None


@dataclass(frozen=True)
class QuotaRefusal:
    """Why a tenant's limit does not allow an order.

    ``limit``: images a day, or queued images. ``used``: the images that already count towards the limit.
    ``midnight``: seconds until midnight, when the limit of a day starts again.
    """

    limit: Literal["day", "queued"]
    used: int
    midnight: int


class CellError(BaseModel, frozen=True):
    """Why a cell was set aside. ``attempts``: how often a worker tried the cell alone."""

    attempts: int
    error: str


@dataclass(frozen=True)
class Event:
    """A change of a job. ``id``: its id in the Redis stream. ``data``: type, state, done and total."""

    id: str
    type: Literal["state", "progress"]
    data: dict[str, Any]


class JobState(BaseModel):
    """The content of state.json: how a job ended.

    ``done`` counts images. ``dead`` lists the cells that were set aside, and ``errors`` has the error of each
    dead cell, for at most 1000 cells. ``bytes`` is the size of the images in the store; None in a file of an
    older version. ``retries`` counts the retries before this end. ``done_before`` and ``bytes_before`` are
    ``done`` and ``bytes`` of the end before the last retry. ``root`` is the Merkle root of the made images;
    None for a cancelled job, and in a file of an older version. ``withdrawn`` and ``bytes_withdrawn`` count
    images that an audit took back after this end. They were delivered once, so usage does not count them
    again when a retry makes them again.
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
