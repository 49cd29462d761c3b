"""Entries in the store that name the times at which maintenance must look at orders, webhooks or runs.

An entry is an empty object ``{prefix}{time}.{job}.{tenant}``; for a run, ``job`` is the run's id. A listing
shows the earliest entries first.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from prodgen.storage import keys
from prodgen.storage.base import Store

POSTPONED = timedelta(days=1)
"""The time until the next look at an order that cannot be read, or that has not ended yet."""


class Entry(NamedTuple):
    """An entry: its key in the store, its time, and its order."""

    key: str
    when: datetime
    job: str
    tenant: str


def make_due(store: Store, when: datetime, tenant: str, job: str, prefix: str = keys.DUE) -> None:
    """Have maintenance look at an order, a webhook or a run (``job``) at ``when``, or soon after."""
    store.put(keys.due(when, job, tenant, prefix), b"", "text/plain")


def due_entries(store: Store, now: datetime, prefix: str = keys.DUE) -> Iterator[Entry]:
    """Yield the entries whose time has come, the earliest first."""
    entries = (Entry(info.key, *keys.parse_due(info.key, prefix)) for info in store.list(prefix))
    return takewhile(lambda entry: entry.when <= now, entries)
