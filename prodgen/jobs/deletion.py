"""Delete ended orders, on request or when their keep is over, by the protocol of `prodgen.trash`."""

from datetime import datetime

from prodgen import trash
from prodgen.errors import Conflict
from prodgen.jobs.control import complete_change
from prodgen.jobs.record import JobRecord, find_record, load_control, load_state
from prodgen.jobs.usage import record_usage
from prodgen.ledger.ledger import Ledger
from prodgen.storage import keys
from prodgen.storage.due import POSTPONED, make_due
from prodgen.trash import TRASH, Trash

Deletion = trash.Deletion[JobRecord]


class DeletedJobs(Trash[JobRecord]):
    """The orders that are deleted, with their images."""

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
