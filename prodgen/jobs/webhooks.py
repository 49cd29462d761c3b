"""The webhooks of orders: announce a message, read and write its record, list dead messages, send one again.

`announce` writes an entry ``system/webhooks/{time}.{job}.{tenant}`` before state.json is written, so that the
message is sent even if a process dies or Redis is wiped. `prodgen.jobs.webhook_delivery` sends the message.
``webhook.json`` in the job's folder records the attempts.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel

from prodgen.errors import Conflict, NotFound
from prodgen.jobs.record import JobRecord, find_record, load_record, load_state
from prodgen.ledger.entries import JobState
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.due import make_due


class Delivery(BaseModel, frozen=True):
    """webhook.json: what became of the message about an order's end.

    ``message`` is the message's id, ``first`` the time of the first attempt. ``status`` is that of the last
    answer, and ``error`` says why the last attempt failed.
    """

    message: str
    state: Literal["waiting", "delivered", "dead"] = "waiting"
    attempts: int = 0
    first: datetime | None = None
    last: datetime | None = None
    status: int | None = None
    error: str | None = None


def announce(store: Store, record: JobRecord, now: datetime | None = None) -> None:
    """Enter the order's webhook, if any, for maintenance to send. Call it before state.json is written."""
    if record.spec.webhook:
        make_due(store, now or datetime.now(UTC), record.tenant, record.id, keys.WEBHOOKS)


def find_delivery(store: Store, record: JobRecord) -> Delivery | None:
    """Return the state of an order's webhook and its attempts, or None before the first attempt."""
    with suppress(NotFound):
        return Delivery.model_validate_json(store.get(_key(record)))
    return None


def dead_deliveries(store: Store, tenant: str, after: str = "") -> Iterator[tuple[JobRecord, Delivery]]:
    """Yield each order whose message is dead, with the message's record, by id after ``after``.

    Deleted orders are skipped and removed from the list.
    """
    for job in sorted(name for name in store.names(keys.dead_webhooks(tenant)) if name > after):
        record = find_record(store, tenant, job)
        delivery = record and find_delivery(store, record)
        if record and delivery:
            yield record, delivery
        elif record is None:
            store.delete([keys.dead_webhooks(tenant) + job])


def replay(store: Store, tenant: str, job: str, now: datetime | None = None) -> Delivery:
    """Enter the message about an ended order to be sent again, and return its new record.

    Attempts may go on for another day. Raises NotFound if there is no such job, and Conflict if the order has
    no webhook or has not ended.
    """
    try:
        record = load_record(store, tenant, job)
    except NotFound:
        raise NotFound(f"there is no job {job!r}", param="job") from None
    if not record.spec.webhook:
        raise Conflict(f"job {job} has no webhook", param="job")
    state = load_state(store, record)
    if state is None:
        raise Conflict(f"job {job} has not ended; its webhook is sent at its end", param="job")
    delivery = Delivery(message=message_id(record, state))
    save(store, record, delivery)
    make_due(store, now or datetime.now(UTC), tenant, job, keys.WEBHOOKS)
    store.delete([keys.dead_webhooks(tenant) + job])
    return delivery


def message_id(record: JobRecord, state: JobState) -> str:
    """Return the id of the message about an order's end. Every attempt to send the message has this id."""
    retry = f"_{state.retries}" if state.retries else ""
    return f"msg_{record.id}_{state.finished.astimezone(UTC):%Y%m%dT%H%M%S}{retry}"


def save(store: Store, record: JobRecord, delivery: Delivery) -> None:
    """Write webhook.json. Add a dead message to the tenant's list of dead messages."""
    if delivery.state == "dead":
        store.put(keys.dead_webhooks(record.tenant) + record.id, b"", "text/plain")
    store.put(_key(record), delivery.model_dump_json(indent=1).encode(), "application/json")


def _key(record: JobRecord) -> str:
    return keys.job(record.tenant, record.id, "webhook.json")
