"""Delete ended orders, on request or when their keep is over, by the protocol of `prodgen.trash`."""

from collections.abc import Iterator
from datetime import datetime

from prodgen import trash as protocol
from prodgen.errors import Conflict
from prodgen.jobs.control import complete_change
from prodgen.jobs.record import JobRecord, find_record, load_control, load_state
from prodgen.jobs.usage import record_usage
from prodgen.ledger.ledger import Ledger
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.due import POSTPONED, make_due
from prodgen.trash import OBJECTS, TRASH, Trash

__all__ = ["OBJECTS", "TRASH", "Deletion", "delete_job", "find_deletion", "restore_job", "sweep_due", "trash"]

Deletion = protocol.Deletion[JobRecord]


class _Orders(Trash[JobRecord]):
    noun, original, due = "job", "job.json", keys.DUE
    deletion = Deletion

    def key(self, tenant: str, id: str, *parts: str) -> str:
        return keys.job(tenant, id, *parts)

    def listed(self, tenant: str) -> str:
        return keys.trash(tenant)

    def find(self, tenant: str, id: str) -> JobRecord | None:
        return find_record(self.store, tenant, id)

    def check(self, ledger: Ledger, record: JobRecord, now: datetime) -> datetime:
        state = load_state(self.store, record)
        if state is None:
            raise Conflict(
                f"job {record.id} has not ended; cancel it first, or wait for its end", param="job"
            )
        record_usage(self.store, record, state)  # an older version has not done so
        expires = record.expires(state.finished, load_control(self.store, record))
        return min(now + TRASH, expires or now + TRASH)

    def enter(self, ledger: Ledger, record: JobRecord) -> None:
        entry = record.entry(control=load_control(self.store, record))
        ledger.restore(entry, (), (), load_state(self.store, record))

    def forget(self, ledger: Ledger, id: str) -> None:
        ledger.forget(id)

    def look(self, ledger: Ledger, tenant: str, id: str, now: datetime) -> Deletion | None:
        """Return the deletion of the order ``id`` if the order is not kept any longer, else None.

        If the order is kept longer, enter the time at which maintenance looks at it again, and complete a
        change of the order that was interrupted.
        """
        record = find_record(self.store, tenant, id)
        if record is None:
            return None
        control, state = load_control(self.store, record), load_state(self.store, record)
        if record.kept(control) is not None:
            expires = record.expires(state.finished, control) if state else now + POSTPONED
            if expires is None or expires <= now:
                return self.expired(record, now)
            make_due(self.store, expires, tenant, id)
        complete_change(self.store, ledger, record)
        return None


def find_deletion(store: Store, tenant: str, job: str) -> Deletion | None:
    """Read deleted.json. Returns None for an order that is not deleted."""
    return _Orders(store).deleted(tenant, job)


def trash(store: Store, tenant: str, after: str = "", now: datetime | None = None) -> Iterator[Deletion]:
    """Yield the tenant's deleted orders that can be restored, by id after ``after``."""
    return _Orders(store).restorable(tenant, after, now)


def delete_job(
    store: Store,
    ledger: Ledger,
    tenant: str,
    job: str,
    *,
    for_good: bool = False,
    now: datetime | None = None,
) -> Deletion:
    """Delete an ended order, see `Trash.delete`."""
    return _Orders(store).delete(ledger, tenant, job, for_good, now)


def restore_job(
    store: Store, ledger: Ledger, tenant: str, job: str, *, now: datetime | None = None
) -> JobRecord:
    """Restore an order from the trash, see `Trash.restore`."""
    return _Orders(store).restore(ledger, tenant, job, now)


def sweep_due(store: Store, ledger: Ledger, now: datetime | None = None) -> int:
    """Look at the orders whose time has come, see `Trash.sweep`."""
    return _Orders(store).sweep(ledger, now)
