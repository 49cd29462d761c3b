"""The lock that a process holds while it creates or removes data sets of a tenant."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import lock

Lock = Callable[[], AbstractContextManager[None]]
"""A function that returns the `dataset_lock` of a tenant."""

_TAKEN = "another data set of yours is just being made or removed; try again in a moment"


def dataset_lock(ledger: Ledger, tenant: str) -> AbstractContextManager[None]:
    """Return the lock of a tenant's data sets. Taking it raises Unavailable if another process keeps it."""
    return lock(ledger, f"datasets:{tenant}", _TAKEN)
