"""Delete ended orders and runs, restore them from the trash, and delete them for good after their time.

Orders and runs have the same protocol (``docs/explanation/ledger-and-store.md``). The folder of a deleted
order or run has ``deleted.json`` in place of its record, so no reader finds the record. Each change first
writes an entry of `prodgen.storage.due`: a time at which maintenance looks at the order or run again. So
maintenance completes a change whose process has died.
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
"""How long a deleted order or run can be restored. For as long, its idempotency key makes no new one."""
LOOK_AGAIN = timedelta(minutes=1)
"""How long after a change maintenance checks the change, and completes it if its process has died."""
ENTRIES, OBJECTS = 200, 2000
"""The maximum number of entries that one sweep looks at, and of objects that it deletes (about)."""


class Owned(BaseModel, frozen=True):
    """Base class of the records of orders and runs."""

    id: str
    tenant: str


R = TypeVar("R", bound=Owned)


class Deletion(BaseModel, Generic[R], frozen=True):
    """The content of deleted.json: a deleted order or run.

    ``wanted``: what was requested last; maintenance may still have to carry it out. ``purged``: deleted for
    good. ``deleted``: the time of the request. ``until``: the time until which a restore is possible. It is
    `TRASH` later, or earlier if the order or run would be kept for a shorter time.
    """

    record: R
    wanted: Literal["trash", "restored", "purged"]
    deleted: datetime
    until: datetime

    @property
    def key_free(self) -> datetime:
        """The time from which the idempotency key may make a new order or run."""
        return self.deleted + TRASH

    @property
    def restorable_until(self) -> datetime | None:
        """The time until which a restore is possible; None unless the order or run is in the trash."""
        return self.until if self.wanted == "trash" else None

    def is_restorable(self, now: datetime) -> bool:
        """Return whether a restore is possible at ``now``."""
        return self.wanted != "purged" and now < self.until


class Trash(ABC, Generic[R]):
    """Base class that deletes and restores orders or runs. ``noun``: "job" or "run", for messages.

    ``original``: the name of the record's file. ``due``: the prefix of the entries of `prodgen.storage.due`.
    """

    noun: ClassVar[str]
    original: ClassVar[str]
    due: ClassVar[str]
    deletion: ClassVar[type[Deletion[Any]]]

    def __init__(self, store: Store) -> None:
        self.store = store

    @abstractmethod
    def key(self, tenant: str, id: str, *parts: str) -> str:
        """Return the key of the file ``parts`` of an order or run.

        If the last part is "", returns the prefix of all files in a folder.
        """

    @abstractmethod
    def listed(self, tenant: str) -> str:
        """Return the prefix of a tenant's trash list: one empty object for each id in the trash."""

    @abstractmethod
    def find(self, tenant: str, id: str) -> R | None:
        """Return the record of an order or run, or None if the order or run is deleted or unknown."""

    @abstractmethod
    def check(self, ledger: Ledger, record: R, now: datetime) -> datetime:
        """Return the time until which the order or run can be restored if it is deleted ``now``.

        Raises Conflict if it must not be deleted.
        """

    @abstractmethod
    def enter(self, ledger: Ledger, record: R) -> None:
        """Enter a restored order or run, with its end, into the ledger."""

    @abstractmethod
    def forget(self, ledger: Ledger, id: str) -> None:
        """Remove a deleted order or run from the ledger."""

    def look(self, ledger: Ledger, tenant: str, id: str, now: datetime) -> Deletion[R] | None:
        """Do what is due for an order or run that is not deleted.

        Returns its deletion if it is no longer to be kept, else None.
        """
        return None

    def expired(self, record: R, now: datetime) -> Deletion[R]:
        """Return the deletion of an order or run that is no longer to be kept.

        Also writes when maintenance must look at it for the last time.
        """
        now = now.replace(microsecond=0)
        deletion = self.deletion(record=record, wanted="trash", deleted=now, until=now)
        make_due(self.store, deletion.key_free, record.tenant, record.id, self.due)
        return deletion

    def deleted(self, tenant: str, id: str) -> Deletion[R] | None:
        """Read deleted.json. Returns None if the order or run is not deleted."""
        with suppress(NotFound):
            return self.deletion.model_validate_json(self.store.get(self._marker(tenant, id)))
        return None

    def restorable(self, tenant: str, after: str = "", now: datetime | None = None) -> Iterator[Deletion[R]]:
        """Yield the restorable deletions in a tenant's trash, in order of id, with ids after ``after``."""
        now = now or datetime.now(UTC)
        for id in sorted(name for name in self.store.names(self.listed(tenant)) if name > after):
            deletion = self.deleted(tenant, id)
            if deletion and deletion.wanted == "trash" and deletion.until > now:
                yield deletion

    def delete(
        self, ledger: Ledger, tenant: str, id: str, for_good: bool = False, now: datetime | None = None
    ) -> Deletion[R]:
        """Put an ended order or run into the trash. With ``for_good``, maintenance soon deletes its objects.

        A second call changes nothing. Raises NotFound if it is unknown, and Conflict if it must not be
        deleted.
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
        """Restore an order or run from the trash, and return its record. Does nothing if it is not deleted.

        Raises NotFound if it is unknown, and Conflict if it is deleted for good.
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
        """Hide a deleted order or run from all readers, or show a restored one again. Idempotent."""
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
        """Do what is due for one order or run. Returns the number of deleted objects, at most ``room``."""
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
