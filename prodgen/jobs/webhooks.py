"""Tell the receivers that tenants name in their orders how the orders ended, by Standard Webhooks.

An entry ``system/webhooks/{time}.{job}.{tenant}`` is written before the state.json of the order, so that no
end is forgotten, whatever dies and whether or not Redis is wiped. ``webhook.json`` in the job's folder
records the attempts. A message may arrive more than once; its id is then the same.
"""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Literal

from pydantic import BaseModel
from redis.exceptions import RedisError
from standardwebhooks import Webhook

from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.jobs.public_http import post
from prodgen.jobs.record import JobRecord, find_record, load_record, load_state
from prodgen.jobs.webhook_secrets import signing_secrets
from prodgen.ledger.entries import JobState
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import translated
from prodgen.storage import keys
from prodgen.storage.base import Store

log = logging.getLogger(__name__)

PAUSES = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600, 7200))
"""The times between attempts. The last one repeats until `PATIENCE` is over."""
PATIENCE = timedelta(days=1)
"""The time after the first attempt from which no further attempt is made: the message is dead."""
NOT_ENDED = timedelta(seconds=10)
"""The time until the next look at an order whose state.json is not there yet."""
SCANNED, TENANTS_SHARE, THREADS = 1000, 8, 8
"""Entries that one pass reads, the most messages of one tenant that it sends, and those sent at once."""
CLAIM_SECONDS = 60
"""Seconds for which a process has a message for itself; more than an attempt takes."""

Outcome = Literal["delivered", "failed", "dead"]


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
    """Have maintenance send the order's webhook, if it has one. Call it before state.json is written."""
    if record.spec.webhook:
        _make_due(store, record, now or datetime.now(UTC))


def find_delivery(store: Store, record: JobRecord) -> Delivery | None:
    """Return what became of the message about an order's end; None before the first attempt."""
    with suppress(NotFound):
        return Delivery.model_validate_json(store.get(_record_key(record)))
    return None


def dead_deliveries(store: Store, tenant: str) -> Iterator[tuple[JobRecord, Delivery]]:
    """Yield the orders whose messages were given up, and forget those that are deleted."""
    for job in list(store.names(keys.dead_webhooks(tenant))):
        record = find_record(store, tenant, job)
        delivery = record and find_delivery(store, record)
        if record and delivery:
            yield record, delivery
        elif record is None:
            store.delete([keys.dead_webhooks(tenant) + job])


def replay(store: Store, tenant: str, job: str, now: datetime | None = None) -> Delivery:
    """Send the message about an ended order again, for another `PATIENCE`, and return its new record.

    Raises NotFound, and Conflict for an order without a webhook or one that has not ended.
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
    delivery = Delivery(message=_message_id(record, state))
    _save(store, record, delivery)
    _make_due(store, record, now or datetime.now(UTC))
    store.delete([keys.dead_webhooks(tenant) + job])
    return delivery


def deliver_due(
    store: Store,
    ledger: Ledger,
    *,
    private: bool,
    count: Callable[[Outcome], None] = lambda outcome: None,
    now: datetime | None = None,
) -> int:
    """Send the messages whose time has come, and return how many entries were looked at.

    A pass sends a bounded number of messages, so that receivers that do not answer delay the others for a
    minute at most. ``private`` allows receivers on the private network. ``count`` hears of each attempt.
    """
    now = now or datetime.now(UTC)

    def work(entry: str) -> None:
        try:
            if _claim(ledger, entry):
                _look(store, ledger, entry, private, count, now)
        except Unavailable as error:
            log.warning("a webhook waits: %s", error)
        except Exception:  # a broken record must not stop the messages of others
            log.exception("the entry %s cannot be worked on", entry)

    entries = _due(store, now)
    with ThreadPoolExecutor(THREADS, "webhook") as pool:
        list(pool.map(work, entries))
    return len(entries)


def _due(store: Store, now: datetime) -> list[str]:
    """Return the keys of entries whose time has come, at most `TENANTS_SHARE` of each tenant."""
    found = (info.key for info in store.list(keys.WEBHOOKS))
    due = takewhile(lambda key: keys.parse_due(key, keys.WEBHOOKS)[0] <= now, found)
    by_tenant: dict[str, list[str]] = {}
    for key in islice(due, SCANNED):
        by_tenant.setdefault(keys.parse_due(key, keys.WEBHOOKS)[2], []).append(key)
    return [key for own in by_tenant.values() for key in own[:TENANTS_SHARE]]


def _claim(ledger: Ledger, entry: str) -> bool:
    """Return whether this process is to work on an entry. If it dies, another may after `CLAIM_SECONDS`."""
    try:
        return bool(ledger.client.set(f"{ledger.prefix}webhook:{entry}", 1, nx=True, ex=CLAIM_SECONDS))
    except RedisError as error:
        raise translated(error) from error


def _look(
    store: Store,
    ledger: Ledger,
    entry: str,
    private: bool,
    count: Callable[[Outcome], None],
    now: datetime,
) -> None:
    """Make one attempt. Writes its record, then the entry of the next attempt, and deletes the entry last."""
    _, job, tenant = keys.parse_due(entry, keys.WEBHOOKS)
    record = find_record(store, tenant, job)
    if record and (state := load_state(store, record)) is None:
        _make_due(store, record, now + NOT_ENDED)
    elif record and record.spec.webhook and state:
        delivery = find_delivery(store, record)
        if delivery is None or delivery.message != _message_id(record, state):
            delivery = Delivery(message=_message_id(record, state))
        if delivery.state == "waiting":  # else the process died that has sent it
            delivery = _attempt(store, ledger, record, state, delivery, private, now)
            outcome: Outcome = "failed" if delivery.state == "waiting" else delivery.state
            count(outcome)
            log.info("webhook of job %s: %s", job, delivery.error or outcome)
            if delivery.state == "dead":
                store.put(keys.dead_webhooks(tenant) + job, b"", "text/plain")
            _save(store, record, delivery)
        if delivery.state == "waiting":
            _make_due(store, record, now + PAUSES[min(delivery.attempts, len(PAUSES)) - 1])
    store.delete([entry])


def _attempt(
    store: Store,
    ledger: Ledger,
    record: JobRecord,
    state: JobState,
    delivery: Delivery,
    private: bool,
    now: datetime,
) -> Delivery:
    """Send the message once, and return its record. A receiver that answers 410 wants no further attempt."""
    body, at = _body(record, state), datetime.now(UTC)
    signed = [
        Webhook(secret).sign(delivery.message, at, body)
        for secret in signing_secrets(store, ledger, record.tenant)
    ]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "prodgen",
        "webhook-id": delivery.message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signed),
    }
    status, error = None, None
    try:
        status = post(record.spec.webhook or "", headers, body.encode(), private=private)
    except ProdgenError as failure:
        error = str(failure)
    first = delivery.first or now
    if status is not None and not 200 <= status < 300:
        error = f"the receiver answered {status}"
    dead = error and (status == 410 or now - first >= PATIENCE)
    return Delivery(
        message=delivery.message,
        state="dead" if dead else "waiting" if error else "delivered",
        attempts=delivery.attempts + 1,
        first=first,
        last=now,
        status=status,
        error=error,
    )


def _body(record: JobRecord, state: JobState) -> str:
    """Return the message: always the same text for the same end."""
    order = {
        "id": record.id,
        "state": state.state,
        "title": record.spec.title,
        "model": record.model,
        "total": record.total,
        "done": state.done,
        "error": state.error,
    }
    message = {"type": f"job.{state.state}", "timestamp": state.finished.isoformat(), "data": order}
    return json.dumps(message, ensure_ascii=False)


def _message_id(record: JobRecord, state: JobState) -> str:
    """Return the id of the message about an end, which is the same in each attempt."""
    return f"msg_{record.id}_{state.finished.astimezone(UTC):%Y%m%dT%H%M%S}"


def _make_due(store: Store, record: JobRecord, when: datetime) -> None:
    store.put(keys.due(when, record.id, record.tenant, keys.WEBHOOKS), b"", "text/plain")


def _save(store: Store, record: JobRecord, delivery: Delivery) -> None:
    store.put(_record_key(record), delivery.model_dump_json(indent=1).encode(), "application/json")


def _record_key(record: JobRecord) -> str:
    return keys.job(record.tenant, record.id, "webhook.json")
