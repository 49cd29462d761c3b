"""Due entries: objects in the store that tell maintenance when to look at an order, a webhook or a run.

An entry is an empty object ``{prefix}{time}.{job}.{tenant}``; for a run, ``job`` is the run's id. A listing
of the store returns the earliest entry first.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from prodgen.storage import keys
from prodgen.storage.base import Store

POSTPONED = timedelta(days=1)
"""Maintenance looks again after this time at an order that it cannot read, or that has not ended yet."""


class Entry(NamedTuple):
    """A due entry: its key in the store, its time, and the order or run with its tenant."""

    key: str
    when: datetime
    job: str
    tenant: str


def make_due(store: Store, when: datetime, tenant: str, job: str, prefix: str = keys.DUE) -> None:
    """Write an entry, so that maintenance looks at ``job`` at ``when`` or soon after.

    ``job`` is the id of an order or a run. ``prefix`` decides the purpose: orders, webhooks or runs.
    """
    store.put(keys.due(when, job, tenant, prefix), b"", "text/plain")


def due_entries(store: Store, now: datetime, prefix: str = keys.DUE) -> Iterator[Entry]:
    """Yield the entries whose time has come, the earliest first."""
    entries = (Entry(info.key, *keys.parse_due(info.key, prefix)) for info in store.list(prefix))
    return takewhile(lambda entry: entry.when <= now, entries)
