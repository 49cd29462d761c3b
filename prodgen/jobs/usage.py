"""Usage: the images and bytes that orders have delivered, by tenant, day and model.

Each ended order has an empty object whose key contains the numbers, so that a listing is enough to read
usage. The object can be written again from job.json and state.json, and stays when the order is deleted. When
a retry ends, the order gets another object, with the images and bytes that the retry has added.
"""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from prodgen.errors import ProdgenError
from prodgen.jobs.record import JobRecord, find_record, load_state
from prodgen.ledger.entries import JobState
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.renders import Renders
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads, tenant_folders

RENDERS = "renders-"
"""Begins the name that stands for an order in keys of images made by their addresses. The epoch follows."""
MAX_DAYS = 366
"""The most days of one request for usage."""


class Usage(NamedTuple):
    """The number and the size of the images of one model in the orders that ended on one day (UTC).

    A retried order counts on the day of its first end that delivered images. What a retry has added counts on
    the day on which the retry ended.
    """

    day: date
    model: str
    orders: int
    images: int
    bytes: int


def record_usage(store: Store, record: JobRecord, state: JobState) -> None:
    """Record the images and bytes that an ended order, or its last retry, has delivered. Idempotent."""
    images = state.done - state.done_before
    if images <= 0:
        return
    size = stored_bytes(store, record) if state.bytes is None else max(0, state.bytes - state.bytes_before)
    day = state.finished.astimezone(UTC).date()
    retry = state.retries if state.done_before else 0
    key = keys.usage(record.tenant, day, record.id, images, size, record.model, retry)
    store.put(key, b"", "text/plain")


def record_renders(store: Store, ledger: Ledger) -> None:
    """Copy into the store how many images were made for requests by address, today and yesterday.

    The ledger counts them. Each ledger has its own object in the store, named by the ledger's epoch, so that
    a new ledger, which counts from 0, overwrites nothing. A wipe of Redis loses only the images that were
    counted after the last call. A second call changes nothing.
    """
    today, order = datetime.now(UTC).date(), f"{RENDERS}{ledger.epoch()}"
    for day in (today - timedelta(days=1), today):
        for tenant, model, images, size in Renders(ledger).made(day):
            key = keys.usage(tenant, day, order, images, size, model)
            known = [info.key for info in store.list(f"{keys.usages(tenant, day)}{order}.")]
            if key not in known:
                store.put(key, b"", "text/plain")
                store.delete(old for old in known if _counts_less(old, images, model))


def _counts_less(key: str, images: int, model: str) -> bool:
    """Return whether a usage key is of ``model`` and counts at most ``images``.

    A key that counts more images comes from another process, and is newer.
    """
    _, _, counted, _, of_model = keys.parse_usage(key)
    return of_model == model and counted <= images


def stored_bytes(store: Store, record: JobRecord) -> int:
    """Return the total size, in bytes, of the stored images of an ended order."""
    found = store.list(keys.job(record.tenant, record.id, "cells/"))
    return sum(info.size for info in found if not info.key.endswith(".jsonl"))


def record_all_usage(store: Store) -> int:
    """Record the usage of every ended order in the store, and return their number."""

    def record_one(job: tuple[str, str]) -> bool:
        record = find_record(store, *job)
        state = record and load_state(store, record)
        if record and state:
            record_usage(store, record, state)
        return bool(state)

    return sum(in_threads(record_one, tenant_folders(store, keys.jobs)))


def read_usage(store: Store, tenant: str, first: date, last: date) -> list[Usage]:
    """Return the tenant's usage from day ``first`` to day ``last``, inclusive: a row for each day and model.

    Rows are sorted by day, then by model. Raises ProdgenError unless there are 1 to `MAX_DAYS` days.
    """
    days = (last - first).days + 1
    if not 1 <= days <= MAX_DAYS:
        raise ProdgenError(
            f"usage from {first} to {last} is not of 1 to {MAX_DAYS} days; choose another first day",
            param="from",
        )
    rows = in_threads(lambda day: _read_day(store, tenant, day), (first + timedelta(k) for k in range(days)))
    return [usage for day in rows for usage in day]


def _read_day(store: Store, tenant: str, day: date) -> list[Usage]:
    by_order: dict[tuple[str, int, str], Usage] = {}
    for info in store.list(keys.usages(tenant, day)):
        order, retry, images, size, model = keys.parse_usage(info.key)
        orders = int(not retry and not order.startswith(RENDERS))
        one = Usage(day, model, orders, images, size)
        by_order[order, retry, model] = max(one, by_order.get((order, retry, model), one))
    totals: dict[str, Usage] = {}
    for one in by_order.values():
        sofar = totals.get(one.model, Usage(day, one.model, 0, 0, 0))
        counts = (sofar.orders + one.orders, sofar.images + one.images, sofar.bytes + one.bytes)
        totals[one.model] = Usage(day, one.model, *counts)
    return [totals[model] for model in sorted(totals)]
