"""The secrets that sign a tenant's webhooks. They are stored under ``system/``, which clients cannot read."""

import base64
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from prodgen.errors import NotFound
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import lock
from prodgen.storage import keys
from prodgen.storage.base import Store

OVERLAP = timedelta(days=1)
"""For this time after a rotation, messages are signed with both the new and the former secret."""
_REFUSAL = "another request changes the secret; try again in a moment"


class _Secrets(BaseModel, frozen=True):
    """The stored secrets of a tenant. Until ``until``, messages are signed with ``former``, too."""

    secret: str
    former: str | None = None
    until: datetime | None = None


def webhook_secret(store: Store, ledger: Ledger, tenant: str, *, rotate: bool = False) -> str:
    """Return the secret with which a tenant verifies its webhooks. The first call makes the secret.

    With ``rotate``, makes and returns a new secret; the former secret also signs for one more day.
    """
    return _load(store, ledger, tenant, rotate).secret


def signing_secrets(store: Store, ledger: Ledger, tenant: str) -> list[str]:
    """Return the secrets that sign a message now: the present secret and, for a day, the former secret."""
    found = _load(store, ledger, tenant, False)
    former = found.former if found.until and found.until > datetime.now(UTC) else None
    return [found.secret, former] if former else [found.secret]


def _load(store: Store, ledger: Ledger, tenant: str, rotate: bool) -> _Secrets:
    found = _read(store, tenant)
    if found and not rotate:
        return found
    with lock(ledger, f"webhook-secret:{tenant}", _REFUSAL):
        found = _read(store, tenant)
        if found and not rotate:
            return found
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        found = _Secrets(
            secret=secret,
            former=found.secret if found else None,
            until=datetime.now(UTC) + OVERLAP if found else None,
        )
        store.put(keys.webhook_secret(tenant), found.model_dump_json().encode(), "application/json")
    return found


def _read(store: Store, tenant: str) -> _Secrets | None:
    with suppress(NotFound):
        return _Secrets.model_validate_json(store.get(keys.webhook_secret(tenant)))
    return None
