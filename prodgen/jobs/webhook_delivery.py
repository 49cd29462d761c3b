"""Send messages about ended orders, by Standard Webhooks, until the receivers have accepted them.

A message may arrive more than once; its id is then the same. The order of the writes is the protocol of
``docs/explanation/ledger-and-store.md``.
"""

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal

from standardwebhooks import Webhook

from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs.public_http import post
from prodgen.jobs.record import JobRecord, find_record, load_state
from prodgen.jobs.webhook_secrets import signing_secrets
from prodgen.jobs.webhooks import Delivery, find_delivery, message_id, save
from prodgen.ledger.entries import JobState
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import try_lock
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.due import POSTPONED, Entry, due_entries, make_due

log = logging.getLogger(__name__)

PAUSES = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600, 7200))
"""The times between attempts. The last one repeats until `PATIENCE` is over."""
PATIENCE = timedelta(days=1)
"""A message is dead if an attempt fails this long after the first attempt. It is not sent again."""
NOT_ENDED = timedelta(seconds=10)
"""The time after which an order that has no state.json yet is checked again."""
SCANNED, TENANTS_SHARE, THREADS = 1000, 8, 8
"""The most entries that a pass reads, messages of one tenant that it sends, and messages sent in parallel."""

Outcome = Literal["delivered", "failed", "dead"]


@dataclass(frozen=True)
class Sender:
    """Sends the messages of one deployment.

    ``private`` allows receivers on the private network. ``count`` is called with the outcome of each attempt.
    ``now`` is the time of the pass.
    """

    store: Store
    ledger: Ledger
    private: bool = False
    count: Callable[[Outcome], None] = lambda outcome: None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def send_due(self) -> int:
        """Send the messages whose time has come, and return how many entries were checked.

        A pass sends at most `TENANTS_SHARE` messages of each tenant. So if the receivers of one tenant do not
        answer, the messages of other tenants are only seconds late.
        """
        entries = self._due()
        with ThreadPoolExecutor(THREADS, "webhook") as pool:
            list(pool.map(self._look_safely, entries))
        return len(entries)

    def _due(self) -> list[Entry]:
        """Return the entries whose time has come: first one of each tenant, then the second of each, …"""
        by_tenant: dict[str, list[Entry]] = {}
        for entry in islice(due_entries(self.store, self.now, keys.WEBHOOKS), SCANNED):
            by_tenant.setdefault(entry.tenant, []).append(entry)
        return [own[turn] for turn in range(TENANTS_SHARE) for own in by_tenant.values() if turn < len(own)]

    def _look_safely(self, entry: Entry) -> None:
        try:
            with try_lock(self.ledger, f"webhook:{entry.tenant}:{entry.job}") as held:
                if held:
                    self._look_or_postpone(entry)
        except Unavailable as error:
            log.warning("a webhook waits: %s", error)
        except Exception:  # must not stop the messages of others
            log.exception("the webhook of job %s of %s cannot be sent", entry.job, entry.tenant)

    def _look_or_postpone(self, entry: Entry) -> None:
        """Process an entry. If its order cannot be read, postpone the entry by a day."""
        try:
            self._look(entry)
        except Unavailable:
            raise
        except (ProdgenError, ValueError):
            log.exception("job %s of %s cannot be read; the next look is tomorrow", entry.job, entry.tenant)
            self._make_due(entry, self.now + POSTPONED)
            self.store.delete([entry.key])

    def _make_due(self, entry: Entry, when: datetime) -> None:
        make_due(self.store, when, entry.tenant, entry.job, keys.WEBHOOKS)

    def _look(self, entry: Entry) -> None:
        """Make one attempt to send the entry's message, if an attempt is due now.

        Writes the record of the attempt, then an entry for the next attempt, and deletes ``entry`` last.
        """
        record = find_record(self.store, entry.tenant, entry.job)
        if record and (state := load_state(self.store, record)) is None:
            self._make_due(entry, self.now + NOT_ENDED)
        elif record and state:
            delivery = find_delivery(self.store, record)
            if delivery is None or delivery.message != message_id(record, state):
                delivery = Delivery(message=message_id(record, state))
            if delivery.state == "waiting" and _next(delivery, self.now) <= self.now:
                delivery = self._attempt(record, state, delivery)
                save(self.store, record, delivery)
            if delivery.state == "waiting":  # several entries of one message become one
                self._make_due(entry, _next(delivery, self.now))
        self.store.delete([entry.key])

    def _attempt(self, record: JobRecord, state: JobState, delivery: Delivery) -> Delivery:
        """Send the message once, and return its new record. The answer 410 (gone) makes the message dead."""
        status, error = None, None
        try:
            status = self._post(record, _body(record, state), delivery.message)
        except Unavailable:
            raise
        except ProdgenError as failure:
            error = str(failure)
        if status is not None and not 200 <= status < 300:
            error = f"the receiver answered {status}"
        first = delivery.first or self.now
        dead = error and (status == 410 or self.now - first >= PATIENCE)
        self.count("dead" if dead else "failed" if error else "delivered")
        log.info("webhook of job %s: %s", record.id, error or "delivered")
        return Delivery(
            message=delivery.message,
            state="dead" if dead else "waiting" if error else "delivered",
            attempts=delivery.attempts + 1,
            first=first,
            last=self.now,
            status=status,
            error=error,
        )

    def _post(self, record: JobRecord, body: str, message: str) -> int:
        """Sign and send a message, and return the HTTP status of the answer. Raises the errors of `post`."""
        at = datetime.now(UTC)
        secrets = signing_secrets(self.store, self.ledger, record.tenant)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "prodgen",
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(message, at, body) for secret in secrets),
        }
        return post(record.spec.webhook or "", headers, body.encode(), private=self.private)


def _next(delivery: Delivery, now: datetime) -> datetime:
    """Return the time of the next attempt to send a waiting message."""
    if delivery.last is None:
        return now
    return delivery.last + PAUSES[min(delivery.attempts, len(PAUSES)) - 1]


def _body(record: JobRecord, state: JobState) -> str:
    """Return the message as JSON. It is always the same text for the same end."""
    order = {
        "id": record.id,
        "state": state.state,
        "title": record.spec.title,
        "model": record.model,
        "total": record.total,
        "done": state.done,
        "error": state.error,
        "root": state.root,
    }
    message = {"type": f"job.{state.state}", "timestamp": state.finished.isoformat(), "data": order}
    return json.dumps(message, ensure_ascii=False)
