"""Delete ended orders and runs, restore them from the trash, and delete them for good after their time.

One protocol for orders and for runs (``docs/explanation/ledger-and-store.md``). The folder of a deleted order
or run has ``deleted.json`` in place of its record, so no reader finds the record. Each change first writes an
entry of `prodgen.storage.due`: the time at which maintenance looks again, and completes a change whose
process has died.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel

from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import CHANGING, lock, try_lock
from prodgen.storage.base import Store
from prodgen.storage.due import POSTPONED, due_entries, make_due

log = logging.getLogger(__name__)

TRASH = timedelta(days=7)
"""The time for which something deleted can be restored, and its idempotency key makes nothing new."""
LOOK_AGAIN = timedelta(minutes=1)
"""The time after a change at which maintenance completes the change, or finds it complete."""
ENTRIES, OBJECTS = 200, 2000
"""The most entries that one sweep looks at, and about the most objects that it deletes."""


class Owned(BaseModel, frozen=True):
    """Base class of the records of orders and runs."""

    id: str
    tenant: str


R = TypeVar("R", bound=Owned)


class Deletion(BaseModel, Generic[R], frozen=True):
    """deleted.json. ``wanted`` is what becomes of the thing: ``restored`` and ``purged`` may be under way.

    ``deleted`` is the time of the request. A restore is possible before ``until``: for `TRASH`, but no
    longer than the thing is kept.
    """

    record: R
    wanted: Literal["trash", "restored", "purged"]
    deleted: datetime
    until: datetime

    @property
    def key_free(self) -> datetime:
        """The time from which the idempotency key may make something new."""
        return self.deleted + TRASH

    @property
    def restorable_until(self) -> datetime | None:
        """The time until which a restore is possible; None if it was deleted for good."""
        return self.until if self.wanted == "trash" else None

    def is_restorable(self, now: datetime) -> bool:
        """Return whether a restore is possible at ``now``."""
        return self.wanted != "purged" and now < self.until


class Trash(ABC, Generic[R]):
    """Base class for deleting and restoring orders or runs. ``noun`` is "job" or "run", for messages.

    ``original`` is the name of the record's file, and ``due`` the prefix of the entries in the store.
    """

    noun: ClassVar[str]
    original: ClassVar[str]
    due: ClassVar[str]
    deletion: ClassVar[type[Deletion[Any]]]

    def __init__(self, store: Store) -> None:
        self.store = store

    @abstractmethod
    def key(self, tenant: str, id: str, *parts: str) -> str:
        """Return the key of a file, or with a last part "" the prefix of all files."""

    @abstractmethod
    def listed(self, tenant: str) -> str:
        """Return the prefix of the empty objects that name what is in a tenant's trash."""

    @abstractmethod
    def find(self, tenant: str, id: str) -> R | None:
        """Return the record, or None if it is deleted or unknown."""

    @abstractmethod
    def check(self, ledger: Ledger, record: R, now: datetime) -> datetime:
        """Return until when it can be restored. Raises Conflict if it must not be deleted."""

    @abstractmethod
    def enter(self, ledger: Ledger, record: R) -> None:
        """Enter a restored record, with its end, in the ledger."""

    @abstractmethod
    def forget(self, ledger: Ledger, id: str) -> None:
        """Remove what is deleted from the ledger."""

    def look(self, ledger: Ledger, tenant: str, id: str, now: datetime) -> Deletion[R] | None:
        """Do what is due for an order or run that is not deleted. Returns a deletion if its time is over."""
        return None

    def expired(self, record: R, now: datetime) -> Deletion[R]:
        """Return the deletion of an order or run whose time is over, and write the time of its last look."""
        now = now.replace(microsecond=0)
        deletion = self.deletion(record=record, wanted="trash", deleted=now, until=now)
        make_due(self.store, deletion.key_free, record.tenant, record.id, self.due)
        return deletion

    def deleted(self, tenant: str, id: str) -> Deletion[R] | None:
        """Read deleted.json. Returns None for what is not deleted."""
        with suppress(NotFound):
            return self.deletion.model_validate_json(self.store.get(self._marker(tenant, id)))
        return None

    def restorable(self, tenant: str, after: str = "", now: datetime | None = None) -> Iterator[Deletion[R]]:
        """Yield what can be restored in a tenant's trash, by id after ``after``."""
        now = now or datetime.now(UTC)
        for id in sorted(name for name in self.store.names(self.listed(tenant)) if name > after):
            deletion = self.deleted(tenant, id)
            if deletion and deletion.wanted == "trash" and deletion.until > now:
                yield deletion

    def delete(
        self, ledger: Ledger, tenant: str, id: str, for_good: bool = False, now: datetime | None = None
    ) -> Deletion[R]:
        """Put what has ended into the trash; with ``for_good``, have maintenance delete its objects soon.

        A second call changes nothing. Raises NotFound, and Conflict if it must not be deleted.
        """
        now = (now or datetime.now(UTC)).replace(microsecond=0)
        with lock(ledger, id, CHANGING):
            deletion = self.deleted(tenant, id)
            if deletion and deletion.wanted == "restored":
                self._carry_out(ledger, deletion)
                deletion = None
            if deletion is None:
                record = self.find(tenant, id)
                if record is None:
                    raise self._unknown(id)
                until = self.check(ledger, record, now)
                deletion = self.deletion(record=record, wanted="trash", deleted=now, until=until)
            if for_good:
                deletion = deletion.model_copy(update={"wanted": "purged"})
            self._change(ledger, deletion, now)
        return deletion

    def restore(self, ledger: Ledger, tenant: str, id: str, now: datetime | None = None) -> R:
        """Restore from the trash, and return the record. What is not deleted does not change.

        Raises NotFound, and Conflict for what is deleted for good.
        """
        now = now or datetime.now(UTC)
        with lock(ledger, id, CHANGING):
            deletion = self.deleted(tenant, id)
            record = deletion.record if deletion else self.find(tenant, id)
            if record is None:
                raise self._unknown(id)
            if deletion:
                if not deletion.is_restorable(now):
                    raise Conflict(f"{self.noun} {id} is deleted for good; request it again", param=self.noun)
                self._change(ledger, deletion.model_copy(update={"wanted": "restored"}), now)
        return record

    def sweep(self, ledger: Ledger, now: datetime | None = None) -> int:
        """Do what is due for orders or runs, such as deleting objects. Returns how many entries it cleared.

        One call looks at no more than ENTRIES orders or runs, and deletes no more than OBJECTS objects.
        """
        now = now or datetime.now(UTC)
        looked, room = list[str](), OBJECTS
        for key, _, id, tenant in list(islice(due_entries(self.store, now, self.due), ENTRIES)):
            with try_lock(ledger, id) as held:
                if not held:  # a request changes it; the next sweep looks at it
                    continue
                try:
                    room -= self._look(ledger, tenant, id, now, room)
                except Unavailable:
                    raise
                except (ProdgenError, ValueError):
                    log.exception("%s %s of %s cannot be read; next look tomorrow", self.noun, id, tenant)
                    make_due(self.store, now + POSTPONED, tenant, id, self.due)
            if room <= 0:  # there may be more objects, so the entry stays
                break
            looked.append(key)
        self.store.delete(looked)
        return len(looked)

    def _change(self, ledger: Ledger, deletion: Deletion[R], now: datetime) -> None:
        """Write deleted.json and carry it out. If the process dies on the way, `sweep` carries it out."""
        tenant, id = deletion.record.tenant, deletion.record.id
        make_due(self.store, deletion.key_free, tenant, id, self.due)
        make_due(self.store, now + LOOK_AGAIN, tenant, id, self.due)
        self._write(deletion)
        self._carry_out(ledger, deletion)

    def _carry_out(self, ledger: Ledger, deletion: Deletion[R]) -> None:
        """Hide what is deleted from all readers, or show what is restored again. Idempotent."""
        record = deletion.record
        original = self.key(record.tenant, record.id, self.original)
        listed = self.listed(record.tenant) + record.id
        if deletion.wanted == "restored":
            data = record.model_dump_json(indent=1, by_alias=True).encode()
            self.store.put(original, data, "application/json")
            self.enter(ledger, record)
            self.store.delete([listed, self._marker(record.tenant, record.id)])
        elif deletion.wanted == "trash":
            self.store.put(listed, b"", "text/plain")
            self.store.delete([original])
            self.forget(ledger, record.id)
        else:
            self.store.delete([listed, original])
            self.forget(ledger, record.id)

    def _look(self, ledger: Ledger, tenant: str, id: str, now: datetime, room: int) -> int:
        """Do what is due. Returns the number of deleted objects, at most ``room``."""
        deletion = self.deleted(tenant, id) or self.look(ledger, tenant, id, now)
        if deletion is None:
            return 0
        if deletion.wanted == "trash" and deletion.until <= now:
            deletion = deletion.model_copy(update={"wanted": "purged"})
            self._write(deletion)
        self._carry_out(ledger, deletion)
        if deletion.wanted != "purged":
            return 0
        marker = self._marker(tenant, id)
        found = (info.key for info in self.store.list(self.key(tenant, id, "")) if info.key != marker)
        purged = list(islice(found, room))
        self.store.delete(purged)
        if len(purged) < room and deletion.key_free <= now:
            self.store.delete([marker])
        return len(purged)

    def _write(self, deletion: Deletion[R]) -> None:
        data = deletion.model_dump_json(indent=1, by_alias=True).encode()
        self.store.put(self._marker(deletion.record.tenant, deletion.record.id), data, "application/json")

    def _marker(self, tenant: str, id: str) -> str:
        return self.key(tenant, id, "deleted.json")

    def _unknown(self, id: str) -> NotFound:
        return NotFound(f"there is no {self.noun} {id!r}", param=self.noun)
