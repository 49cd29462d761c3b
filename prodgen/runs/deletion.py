"""Delete ended runs by the protocol of `prodgen.trash`."""

from datetime import datetime

from prodgen import trash
from prodgen.errors import Conflict
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import ENDED
from prodgen.registry.versions import folder, version_exists
from prodgen.runs.files import find_record, load_end
from prodgen.runs.record import RunRecord
from prodgen.storage import keys
from prodgen.storage.due import POSTPONED, make_due
from prodgen.trash import TRASH, Trash

RunDeletion = trash.Deletion[RunRecord]


class DeletedRuns(Trash[RunRecord]):
    """The runs that are deleted, with their checkpoints, samples and logs."""

    noun, original, due = "run", "spec.json", keys.RUNS_DUE
    deletion = RunDeletion

    def key(self, tenant: str, id: str, *parts: str) -> str:
        return keys.run(tenant, id, *parts)

    def listed(self, tenant: str) -> str:
        return keys.deleted_runs(tenant)

    def find(self, tenant: str, id: str) -> RunRecord | None:
        return find_record(self.store, tenant, id)

    def check(self, ledger: Ledger, record: RunRecord, now: datetime) -> datetime:
        end, status = load_end(self.store, record), Roster(ledger).status(record.id)
        if end is None or end.state not in ENDED or (status and status.state not in ENDED):
            raise Conflict(
                f"run {record.id} has not ended; cancel it first, or wait for its end", param="run"
            )
        name, _, version = (end.model or "").partition("@")
        if version and version_exists(self.store, folder(name, version, record.tenant)):
            raise Conflict(f"run {record.id} made {end.model}; delete that model first", param="run")
        return min(now + TRASH, record.expires(end.finished) or now + TRASH)

    def enter(self, ledger: Ledger, record: RunRecord) -> None:
        Roster(ledger).add(record.entry(), load_end(self.store, record))

    def look(self, ledger: Ledger, tenant: str, id: str, now: datetime) -> RunDeletion | None:
        """Return the deletion of a run that is not kept any longer, and write the time of its next look.

        A run whose model is still there is kept until a look finds the model deleted.
        """
        record = find_record(self.store, tenant, id)
        end = record and load_end(self.store, record)
        expires = record.expires(end.finished) if record and end and end.state in ENDED else None
        if record is None or expires is None:
            return None
        if expires <= now:
            try:
                self.check(ledger, record, now)
            except Conflict:
                expires = now + POSTPONED
            else:
                return self.expired(record, now)
        make_due(self.store, expires, tenant, id, self.due)
        return None

    def forget(self, ledger: Ledger, id: str) -> None:
        Roster(ledger).forget(id)
