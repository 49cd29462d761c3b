"""The settings, store, ledger and roster of a deployment, as every worker uses them. Imports no torch."""

from functools import cache

from prodgen.connections import connect_ledger
from prodgen.ledger.roster import Roster
from prodgen.settings import Settings, settings
from prodgen.storage import connect


class Deployment:
    """The services of one deployment, as its settings name them. The threads of a process share it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = connect(settings)
        self.ledger = connect_ledger(settings)
        self.roster = Roster(self.ledger)


@cache
def deployment() -> Deployment:
    """Return this process's deployment, connected at the first call."""
    return Deployment(settings())
