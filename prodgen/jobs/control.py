"""Pause, resume and change the priority of an order that is not finished.

A change is written to control.json first, and then made in the ledger, where it takes effect at the next
lease. If the process dies in between, a repeated request or the next recovery makes it in the ledger.
"""

from prodgen.errors import NotFound
from prodgen.jobs.limits import check_total, check_waiting
from prodgen.jobs.record import JobControl, JobRecord, find_record, load_control, load_state
from prodgen.ledger.entries import Progress, Queue
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import CHANGING, lock
from prodgen.settings import Settings
from prodgen.storage import keys
from prodgen.storage.base import Store


def change_job(
    store: Store,
    ledger: Ledger,
    settings: Settings,
    tenant: str,
    job: str,
    *,
    paused: bool | None = None,
    priority: Queue | None = None,
) -> JobRecord:
    """Pause or resume an order, or move it to another queue, and return its record. Idempotent.

    An order that has ended does not change. Raises NotFound, ProdgenError for an interactive order of too
    many images, and TooManyRequests if enough of the tenant's interactive orders wait.
    """
    changes = {"paused": paused, "priority": priority}
    with lock(ledger, job, CHANGING):
        record = find_record(store, tenant, job)
        if record is None:
            raise NotFound(f"there is no job {job!r}", param="job")
        if load_state(store, record):
            return record
        before = load_control(store, record)
        control = before.model_copy(
            update={name: value for name, value in changes.items() if value is not None}
        )
        if control != before:
            queue = record.queue(control)
            if queue != record.queue(before):
                check_total(settings, queue, record.total)
            if not control.paused:
                check_waiting(settings, ledger, tenant, queue)
            data = control.model_dump_json(indent=1).encode()
            store.put(keys.job(tenant, job, "control.json"), data, "application/json")
        apply_control(ledger, record, control)
    return record


def restore_control(store: Store, ledger: Ledger, record: JobRecord, progress: Progress) -> None:
    """Make the changes in the ledger that a restart of Redis, or the death of a gateway, has lost."""
    control = load_control(store, record)
    if (progress.queue, progress.state == "paused") != (record.queue(control), control.paused):
        with lock(ledger, record.id, CHANGING):
            apply_control(ledger, record, load_control(store, record))


def apply_control(ledger: Ledger, record: JobRecord, control: JobControl) -> None:
    """Make the changes in the ledger. If the ledger does not know the job, its recovery makes them."""
    ledger.control(record.id, record.queue(control), control.paused)
