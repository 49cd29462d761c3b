"""Making and removing data sets, one at a time."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from prodgen.jobs.ledger import Ledger
from prodgen.jobs.turns import turn

Turn = Callable[[], AbstractContextManager[None]]
"""Takes the `dataset_turn` of a tenant."""

_TAKEN = "another data set of yours is just being made or removed; try again in a moment"


def dataset_turn(ledger: Ledger, tenant: str) -> AbstractContextManager[None]:
    """The only right to make or remove data sets of a tenant; raises Unavailable while another has it."""
    return turn(ledger, f"datasets:{tenant}", _TAKEN)
