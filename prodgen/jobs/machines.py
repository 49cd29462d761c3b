"""Shut out machines whose workers have stored wrong images, and let the machines work again.

The store has the list (``system/shut-out/{machine}.json``). Maintenance copies the list to the ledger, which
gives no lease to these machines. A machine's name is the last part of the tokens of its leases: 8 hex digits.
"""

from contextlib import suppress
from datetime import UTC, datetime

from pydantic import BaseModel

from prodgen.errors import NotFound
from prodgen.ledger.ledger import Ledger
from prodgen.spec.names import check_name
from prodgen.storage import keys
from prodgen.storage.base import Store


class ShutOut(BaseModel, frozen=True):
    """Why a machine is shut out: what the audit of a job found."""

    machine: str
    job: str
    why: str
    since: datetime


def machine_of(folder: str) -> str | None:
    """Return the machine of a lease from the lease's folder, ``{first}.{token}``.

    Returns None if the token names no machine.
    """
    parts = folder.split("-")
    return parts[2] if len(parts) == 3 else None


def is_one_byte_off(name: str, right: str) -> bool:
    """Return whether ``name`` differs from ``right`` in exactly one byte, as after damage on a disk."""
    one, other = name.encode(errors="replace"), right.encode()
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def shut_out(store: Store, ledger: Ledger, machine: str, job: str, why: str) -> None:
    """Shut out a machine, because the audit of ``job`` found ``why``. Leases that it holds still count."""
    found = ShutOut(machine=machine, job=job, why=why, since=datetime.now(UTC))
    store.put(_key(machine), found.model_dump_json(indent=1).encode(), "application/json")
    apply_shut_out(store, ledger)


def readmit(store: Store, ledger: Ledger, machine: str) -> None:
    """Give a machine work again. Raises NotFound if it is not shut out."""
    store.stat(_key(machine))
    store.delete([_key(machine)])
    apply_shut_out(store, ledger)


def all_shut_out(store: Store) -> list[ShutOut]:
    """Return the machines that are shut out."""
    found = []
    for info in store.list(keys.SHUT_OUT):
        with suppress(NotFound):  # readmitted meanwhile
            found.append(ShutOut.model_validate_json(store.get(info.key)))
    return found


def apply_shut_out(store: Store, ledger: Ledger) -> None:
    """Make the ledger shut out the machines of the store's list, and no others."""
    ledger.shut_out(name.removesuffix(".json") for name in store.names(keys.SHUT_OUT))


def _key(machine: str) -> str:
    return f"{keys.SHUT_OUT}{check_name(machine)}.json"
