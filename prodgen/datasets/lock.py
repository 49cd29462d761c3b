"""Making and removing data sets, one at a time."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import lock

Lock = Callable[[], AbstractContextManager[None]]
"""Takes the `dataset_lock` of a tenant."""

_TAKEN = "another data set of yours is just being made or removed; try again in a moment"


def dataset_lock(ledger: Ledger, tenant: str) -> AbstractContextManager[None]:
    """The only right to make or remove data sets of a tenant; raises Unavailable while another has it."""
    return lock(ledger, f"datasets:{tenant}", _TAKEN)
