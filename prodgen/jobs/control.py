"""Pause, resume and move an order that has not ended; retry an ended order, or take back its images.

A change is first written to control.json and then made in the ledger, where it takes effect at the next
lease. If the process dies in between, a repeated request or the next recovery makes the change in the ledger.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from prodgen.errors import Conflict, NotFound
from prodgen.jobs.ending import bytes_of, sizes_of, sweep, sweep_leftovers
from prodgen.jobs.limits import check_total, check_waiting
from prodgen.jobs.manifests import cells_of, choose, deleted_images, merkle_root, published
from prodgen.jobs.record import RETRYABLE, JobControl, JobRecord, find_record, load_control, load_state
from prodgen.jobs.usage import record_usage, stored_bytes
from prodgen.ledger.entries import JobState, Progress, Queue
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import CHANGING, lock
from prodgen.registry.versions import version_exists
from prodgen.settings import Settings
from prodgen.spec.order import Kept
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.due import make_due
from prodgen.tenants import grant_of
from prodgen.trash import LOOK_AGAIN


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

    An order that has ended does not change. Raises NotFound if there is no such job, ProdgenError if the
    order has too many images for the interactive queue, and TooManyRequests if too many interactive orders of
    the tenant wait.
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
            _write(store, record, control)
        apply_control(ledger, record, control)
    return record


def keep_job(
    store: Store, ledger: Ledger, tenant: str, job: str, keep: Kept, *, now: datetime | None = None
) -> JobRecord:
    """Change how long an order is kept after its end, and return its record.

    Raises NotFound if there is no such job, and Conflict if the order ended longer ago than ``keep``.
    """
    now = now or datetime.now(UTC)
    with lock(ledger, job, CHANGING):
        record = find_record(store, tenant, job)
        if record is None:
            raise NotFound(f"there is no job {job!r}", param="job")
        control = load_control(store, record).model_copy(update={"keep": keep})
        state = load_state(store, record)
        if state and (expires := record.expires(state.finished, control)):
            if expires <= now:
                raise Conflict(
                    f"job {job} ended more than {keep} ago; delete it, or keep it longer", param="keep"
                )
            make_due(store, expires, tenant, job)
        _write(store, record, control)
    return record


def retry_job(store: Store, ledger: Ledger, settings: Settings, tenant: str, job: str) -> JobRecord:
    """Owe the failed cells of an ended order again, and return its record. Images that are made stay.

    During a retry, a second call changes nothing. Raises NotFound if there is no such job, TooManyRequests
    like `change_job`, and Conflict if the order has not ended, has no failed cells, was cancelled, or if its
    model is removed.
    """
    ledger.check_complete()
    with lock(ledger, job, CHANGING):
        record = find_record(store, tenant, job)
        if record is None:
            raise NotFound(f"there is no job {job!r}", param="job")
        control, state = load_control(store, record), load_state(store, record)
        if state:
            if state.state not in RETRYABLE:
                done = "was cancelled" if state.state == "cancelled" else "has made all its images"
                raise Conflict(f"job {job} {done}; only an order with failed images is retried", param="job")
            if not version_exists(store, record.model_prefix):
                raise Conflict(f"{record.model} is removed, so job {job} cannot be retried", param="job")
            check_waiting(settings, ledger, tenant, record.queue(control))
            complete_end(store, record, state)
            make_due(store, datetime.now(UTC) + LOOK_AGAIN, tenant, job)
            changes = {"paused": False, "retries": state.retries + 1}
            _write(store, record, control.model_copy(update=changes))
        elif not control.retries:
            raise Conflict(f"job {job} has not ended; retry its failed images when it has ended", param="job")
        enter_job(store, ledger, record)
    return record


def withdraw(store: Store, ledger: Ledger, record: JobRecord, folders: Collection[str], why: str) -> int:
    """Take back images of an ended order. Their cells then count as failed. ``folders``: the leases' folders.

    Also takes back images whose published manifest cannot be read, or is missing. Returns the number of
    images taken back. If a call was interrupted, the next call completes it, and maintenance makes the ledger
    agree with the new end. Raises Conflict if the order has not ended or was cancelled.
    """
    with lock(ledger, record.id, CHANGING):
        state = load_state(store, record)
        if state is None or state.state == "cancelled":
            raise Conflict(f"job {record.id} is not done or was cancelled; only done images are taken back")
        make_due(store, datetime.now(UTC) + LOOK_AGAIN, record.tenant, record.id)
        state = complete_end(store, record, state)
        manifests, broken = published(store, record)
        kept = [manifest for manifest in manifests if manifest.folder not in folders]
        store.delete([*broken, *(manifest.key for manifest in manifests if manifest.folder in folders)])
        done = sum(manifest.images for manifest in kept)
        size = bytes_of(sizes_of(store, record, deleted_images(store, record)), kept)
        changes = {
            "state": "partial" if done else "failed",
            "done": done,
            "dead": sorted(set(range(record.cells)) - cells_of(kept)),
            "error": f"{record.total - done} of {record.total} images are missing: {why}",
            "bytes": size,
            "root": merkle_root(store, kept),
            "withdrawn": state.withdrawn + state.done - done,
            "bytes_withdrawn": state.bytes_withdrawn + max(0, (state.bytes or size) - size),
        }
        end = state.model_copy(update=changes)
        data = end.model_dump_json(indent=1).encode()
        store.put(keys.job(record.tenant, record.id, "state.json"), data, "application/json")
        sweep(store, record, end)
        ledger.close(record.id, end)
    return state.done - done


def enter_job(store: Store, ledger: Ledger, record: JobRecord) -> None:
    """Add a job that has not ended to the ledger. The cells of its published manifests count as made.

    Changes nothing if the ledger already has the job with its latest retry.
    """
    control, known = load_control(store, record), ledger.progress(record.id)
    if known is None or known.retries < control.retries:
        done = cells_of(choose(published(store, record)[0]))
        ledger.restore(record.entry(grant_of(store, record.tenant).weight, control), done, (), None)


def complete_change(store: Store, ledger: Ledger, record: JobRecord) -> None:
    """Complete a retry, a withdrawal, or a deletion of an image that was interrupted half way."""
    if state := load_state(store, record):
        ledger.close(record.id, state)
        if deleted_images(store, record):
            sweep(store, record, state)
    elif load_control(store, record).retries:
        enter_job(store, ledger, record)


def restore_control(store: Store, ledger: Ledger, record: JobRecord, progress: Progress) -> None:
    """Make the changes of control.json in the ledger, if a Redis restart or a gateway's death lost them."""
    control = load_control(store, record)
    if (progress.queue, progress.state == "paused") != (record.queue(control), control.paused):
        with lock(ledger, record.id, CHANGING):
            apply_control(ledger, record, load_control(store, record))


def apply_control(ledger: Ledger, record: JobRecord, control: JobControl) -> None:
    """Make the changes ``control`` in the ledger. If the ledger lacks the job, its recovery makes them."""
    ledger.control(record.id, record.queue(control), control.paused)


def complete_end(store: Store, record: JobRecord, state: JobState) -> JobState:
    """Record the usage of the end ``state`` and sweep the job, before a change of the end or of the images.

    Returns the end without the bytes of deleted images, so that a retry does not count them as delivered.
    """
    if state.bytes is None:  # of an older version
        state = _with_bytes(store, record, state, stored_bytes(store, record))
    record_usage(store, record, state)
    sweep_leftovers(store, record, state)
    if deleted := deleted_images(store, record):
        size = bytes_of(sizes_of(store, record, deleted), published(store, record)[0])
        state = _with_bytes(store, record, state, size)
    return state


def _with_bytes(store: Store, record: JobRecord, state: JobState, size: int) -> JobState:
    """Write state.json with the ``bytes`` ``size``, and return it."""
    state = state.model_copy(update={"bytes": size})
    data = state.model_dump_json(indent=1).encode()
    store.put(keys.job(record.tenant, record.id, "state.json"), data, "application/json")
    return state


def _write(store: Store, record: JobRecord, control: JobControl) -> None:
    data = control.model_dump_json(indent=1).encode()
    store.put(keys.job(record.tenant, record.id, "control.json"), data, "application/json")
