"""Delete ended orders, restore them from the trash, and delete for good those kept long enough.

The folder of a deleted order has ``deleted.json`` in place of ``job.json``, so no reader finds the order.
Each change first writes ``system/due/{time}.{job}.{tenant}``, the time at which maintenance looks at the
order again and completes a change whose process has died (``docs/explanation/ledger-and-store.md``).
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal

from pydantic import BaseModel

from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.jobs.control import LOOK_AGAIN, complete_change
from prodgen.jobs.due import POSTPONED, due_entries, make_due
from prodgen.jobs.record import JobRecord, find_record, load_control, load_state
from prodgen.jobs.usage import record_usage
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import CHANGING, lock, try_lock
from prodgen.storage import keys
from prodgen.storage.base import Store

log = logging.getLogger(__name__)

TRASH = timedelta(days=7)
"""The time for which a deleted order can be restored, and its idempotency key places no new order."""
ENTRIES, OBJECTS = 200, 2000
"""The most orders that one sweep looks at, and about the most objects that it deletes."""


class Deletion(BaseModel, frozen=True):
    """deleted.json. ``wanted`` is what becomes of the order: ``restored`` and ``purged`` may be under way.

    ``deleted`` is the time of the request. The order can be restored before ``until``: for `TRASH`, but no
    longer than it is kept.
    """

    record: JobRecord
    wanted: Literal["trash", "restored", "purged"]
    deleted: datetime
    until: datetime

    @property
    def key_free(self) -> datetime:
        """The time from which the order's idempotency key may place a new order."""
        return self.deleted + TRASH

    def is_restorable(self, now: datetime) -> bool:
        """Return whether the order can be restored at ``now``."""
        return self.wanted != "purged" and now < self.until


def find_deletion(store: Store, tenant: str, job: str) -> Deletion | None:
    """Read deleted.json. Returns None for an order that is not deleted."""
    with suppress(NotFound):
        return Deletion.model_validate_json(store.get(_marker(tenant, job)))
    return None


def trash(store: Store, tenant: str, after: str = "", now: datetime | None = None) -> Iterator[Deletion]:
    """Yield the tenant's deleted orders that can be restored, by id after ``after``."""
    now = now or datetime.now(UTC)
    for job in sorted(name for name in store.names(keys.trash(tenant)) if name > after):
        deletion = find_deletion(store, tenant, job)
        if deletion and deletion.wanted == "trash" and deletion.until > now:
            yield deletion


def delete_job(
    store: Store,
    ledger: Ledger,
    tenant: str,
    job: str,
    *,
    for_good: bool = False,
    now: datetime | None = None,
) -> Deletion:
    """Put an ended order into the trash; with ``for_good``, have maintenance delete its objects soon.

    A second call changes nothing. Raises NotFound, and Conflict for an order that has not ended.
    """
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    with lock(ledger, job, CHANGING):
        deletion = find_deletion(store, tenant, job)
        if deletion and deletion.wanted == "restored":
            _carry_out(store, ledger, deletion)
            deletion = None
        if deletion is None:
            record = find_record(store, tenant, job)
            if record is None:
                raise NotFound(f"there is no job {job!r}", param="job")
            state = load_state(store, record)
            if state is None:
                raise Conflict(f"job {job} has not ended; cancel it first, or wait for its end", param="job")
            record_usage(store, record, state)  # an older version has not done so
            expires = record.expires(state.finished, load_control(store, record))
            until = min(now + TRASH, expires or now + TRASH)
            deletion = Deletion(record=record, wanted="trash", deleted=now, until=until)
        if for_good:
            deletion = deletion.model_copy(update={"wanted": "purged"})
        _change(store, ledger, deletion, now)
    return deletion


def restore_job(
    store: Store, ledger: Ledger, tenant: str, job: str, *, now: datetime | None = None
) -> JobRecord:
    """Restore an order from the trash. An order that is not deleted does not change.

    Raises NotFound, and Conflict for an order that is deleted for good.
    """
    now = now or datetime.now(UTC)
    with lock(ledger, job, CHANGING):
        deletion = find_deletion(store, tenant, job)
        record = deletion.record if deletion else find_record(store, tenant, job)
        if record is None:
            raise NotFound(f"there is no job {job!r}", param="job")
        if deletion:
            if not deletion.is_restorable(now):
                raise Conflict(f"job {job} is deleted for good; order the images again", param="job")
            _change(store, ledger, deletion.model_copy(update={"wanted": "restored"}), now)
    return record


def sweep_due(store: Store, ledger: Ledger, now: datetime | None = None) -> int:
    """Look at orders whose time has come, and return how many. Does a bounded amount of work."""
    now = now or datetime.now(UTC)
    looked, room = list[str](), OBJECTS
    for key, _, job, tenant in list(islice(due_entries(store, now), ENTRIES)):
        with try_lock(ledger, job) as held:
            if not held:  # a request changes the order; the next sweep looks at it
                continue
            try:
                room -= _look(store, ledger, tenant, job, now, room)
            except Unavailable:
                raise
            except (ProdgenError, ValueError):
                log.exception("job %s of %s cannot be read; the next look is tomorrow", job, tenant)
                make_due(store, now + POSTPONED, tenant, job)
        if room <= 0:  # the order may have more objects, so its entry stays
            break
        looked.append(key)
    store.delete(looked)
    return len(looked)


def _change(store: Store, ledger: Ledger, deletion: Deletion, now: datetime) -> None:
    """Write deleted.json and carry it out. If the process dies on the way, `sweep_due` carries it out."""
    tenant, job = deletion.record.tenant, deletion.record.id
    make_due(store, deletion.key_free, tenant, job)
    make_due(store, now + LOOK_AGAIN, tenant, job)
    _write(store, deletion)
    _carry_out(store, ledger, deletion)


def _carry_out(store: Store, ledger: Ledger, deletion: Deletion) -> None:
    """Hide a deleted order from all readers, or show a restored one again. Idempotent."""
    record = deletion.record
    original, listed = keys.job(record.tenant, record.id, "job.json"), keys.trash(record.tenant) + record.id
    if deletion.wanted == "restored":
        store.put(original, record.model_dump_json(indent=1).encode(), "application/json")
        entry = record.entry(control=load_control(store, record))
        ledger.restore(entry, (), (), load_state(store, record))
        store.delete([listed, _marker(record.tenant, record.id)])
    elif deletion.wanted == "trash":
        store.put(listed, b"", "text/plain")
        store.delete([original])
        ledger.forget(record.id)
    else:
        store.delete([listed, original])
        ledger.forget(record.id)


def _look(store: Store, ledger: Ledger, tenant: str, job: str, now: datetime, room: int) -> int:
    """Do what is due for an order. Returns the number of deleted objects, at most ``room``."""
    deletion = find_deletion(store, tenant, job) or _expiry(store, tenant, job, now)
    if deletion is None:
        complete_change(store, ledger, tenant, job)
        return 0
    if deletion.wanted == "trash" and deletion.until <= now:
        deletion = deletion.model_copy(update={"wanted": "purged"})
        _write(store, deletion)
    _carry_out(store, ledger, deletion)
    if deletion.wanted != "purged":
        return 0
    marker = _marker(tenant, job)
    found = (info.key for info in store.list(keys.job(tenant, job, "")) if info.key != marker)
    purged = list(islice(found, room))
    store.delete(purged)
    if len(purged) < room and deletion.key_free <= now:
        store.delete([marker])
    return len(purged)


def _expiry(store: Store, tenant: str, job: str, now: datetime) -> Deletion | None:
    """Return the deletion of an order that is not kept any longer, and write the time of its last look.

    For an order that is kept longer, writes the time of its next look, and returns None.
    """
    record = find_record(store, tenant, job)
    if record is None:
        return None
    control, state = load_control(store, record), load_state(store, record)
    if record.kept(control) is None:
        return None
    expires = record.expires(state.finished, control) if state else now + POSTPONED
    if expires and expires > now:
        make_due(store, expires, tenant, job)
        return None
    now = now.replace(microsecond=0)
    deletion = Deletion(record=record, wanted="trash", deleted=now, until=now)
    make_due(store, deletion.key_free, tenant, job)
    return deletion


def _write(store: Store, deletion: Deletion) -> None:
    data = deletion.model_dump_json(indent=1).encode()
    store.put(_marker(deletion.record.tenant, deletion.record.id), data, "application/json")


def _marker(tenant: str, job: str) -> str:
    return keys.job(tenant, job, "deleted.json")
