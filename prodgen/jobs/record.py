"""The files of a job in the store.

job.json is the accepted order, control.json its later changes, and state.json its end.
"""

import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from prodgen.errors import NotFound
from prodgen.ledger.entries import MAX_LEASE_CELLS, JobEntry, JobState, Queue
from prodgen.spec.order import CELL, FOREVER, JobSpec, Keep, Kept, count_cells, keep_time
from prodgen.spec.quality import Quality
from prodgen.spec.reading import Reading
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.trash import Owned

LEASE_PIXELS = 1 << 24
"""The most pixels that one lease finishes: about a second of work for a CPU, so that leases stay short."""


class JobControl(BaseModel, frozen=True):
    """control.json: the changes to an order since it was accepted. Absent until the first change.

    ``priority`` and ``keep`` replace the values of the order. ``retries``: how often the order was retried. A
    state.json with fewer retries is out of date.
    """

    paused: bool = False
    priority: Queue | None = None
    keep: Kept | None = None
    retries: int = 0


UNCHANGED = JobControl()
RETRYABLE = ("partial", "failed")
"""The states of ended orders that can be retried."""


class Replaces(BaseModel, frozen=True):
    """The images of ``job`` that a new order makes again: image k of the new order replaces ``images[k]``."""

    job: str
    images: list[int]


class JobRecord(Owned, frozen=True):
    """job.json. It is written before the order is acknowledged, and never changes.

    ``model`` is the resolved ``name@version``, and ``model_prefix`` the folder of that version in the store,
    so a job never mixes versions. ``items``: whether the job has an items.jsonl. ``photographs``:
    whether the items name photographs; such pictures take far longer than generated images. ``keep``: how
    long the order is kept after its end; None: for ever. ``reading``: how the order's prompt was read;
    ``spec`` already has the values that were read. ``replaces``: the rejected images that the
    order makes again. ``again_of``: the order that this one repeats with another version. ``request_id``: the
    id of the HTTP request that placed the order, for log lines. ``traceparent``: the trace context in which
    the order was placed, for spans. ``quality``: the version's threshold, if the order has a quality gate.
    """

    created: datetime
    spec: JobSpec
    model: str
    model_prefix: str
    total: int
    packaging: Literal["files", "tar"]
    items: bool = False
    photographs: bool = False
    keep: Keep | None = None
    reading: Reading | None = None
    replaces: Replaces | None = None
    again_of: str | None = None
    quality: Quality | None = None
    request_digest: str
    request_id: str | None = None
    traceparent: str | None = None

    @property
    def cells(self) -> int:
        """The number of cells of the job."""
        return count_cells(self.total)

    def kept(self, control: JobControl) -> Keep | None:
        """Return how long the order is kept after its end, such as ``30d``; None if it is kept for ever."""
        return None if control.keep == FOREVER else control.keep or self.keep

    def expires(self, finished: datetime, control: JobControl) -> datetime | None:
        """Return when the order must be deleted if it ended at ``finished``; None if it is kept for ever."""
        keep = self.kept(control)
        return finished + keep_time(keep) if keep else None

    def indices(self, first: int, count: int) -> range:
        """Return the indices of the images in ``count`` cells. The first of them is cell ``first``."""
        return range(first * CELL, min((first + count) * CELL, self.total))

    def queue(self, control: JobControl) -> Queue:
        """Return the queue of the job, which is named after its priority."""
        return control.priority or self.spec.priority

    def entry(self, weight: float = 1.0, control: JobControl = UNCHANGED) -> JobEntry:
        """Return the job's entry for the ledger. ``weight``: the tenant's weight."""
        finish = self.spec.finish
        own = 64 * finish.upscale if finish.upscale else 1  # the own size is small, and already in the rate
        pixels = (finish.size or own) ** 2
        most = 1 if self.photographs or self.spec.pictures else MAX_LEASE_CELLS
        lease_cells = min(most, max(1, LEASE_PIXELS // (CELL * pixels)))
        created = self.created.timestamp()
        return JobEntry(
            self.id,
            self.tenant,
            self.queue(control),
            self.total,
            weight,
            created,
            lease_cells,
            self.model,
            control.paused,
            control.retries,
            self.spec.finish_by.timestamp() if self.spec.finish_by and not control.retries else 0.0,
        )


def request_digest(body: JobSpec) -> str:
    """Return a digest of an order, to compare two orders with the same idempotency key."""
    return hashlib.sha256(body.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def load_record(store: Store, tenant: str, job: str) -> JobRecord:
    """Read job.json. Raises NotFound if the tenant has no such job."""
    return JobRecord.model_validate_json(store.get(keys.job(tenant, job, "job.json")))


def find_record(store: Store, tenant: str, job: str) -> JobRecord | None:
    """Read job.json, or return None if the tenant has no such job."""
    with suppress(NotFound):
        return load_record(store, tenant, job)
    return None


def load_control(store: Store, record: JobRecord) -> JobControl:
    """Read control.json. Returns `UNCHANGED` if there is none."""
    with suppress(NotFound):
        return JobControl.model_validate_json(store.get(keys.job(record.tenant, record.id, "control.json")))
    return UNCHANGED


def load_state(store: Store, record: JobRecord) -> JobState | None:
    """Return the end of the job, from state.json; None if the job has not ended, or is being retried."""
    state = load_last_state(store, record)
    if state and state.state in RETRYABLE and state.retries < load_control(store, record).retries:
        return None
    return state


def load_last_state(store: Store, record: JobRecord) -> JobState | None:
    """Read state.json, or return None if there is none. During a retry, this is the end before the retry."""
    with suppress(NotFound):
        return JobState.model_validate_json(store.get(keys.job(record.tenant, record.id, "state.json")))
    return None
