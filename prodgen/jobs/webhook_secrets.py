"""The secrets that sign a tenant's webhooks. They are in ``system/``, which no link and no list shows."""

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
"""The time after a rotation in which messages are signed by the former secret too."""
_REFUSAL = "another request changes the secret; try again in a moment"


class _Secrets(BaseModel, frozen=True):
    """The file of a tenant. ``former`` signs until ``until``."""

    secret: str
    former: str | None = None
    until: datetime | None = None


def webhook_secret(store: Store, ledger: Ledger, tenant: str, *, rotate: bool = False) -> str:
    """Return the secret by which a tenant verifies its webhooks, made at the first call.

    With ``rotate``, makes a new secret; the former one signs for a day more.
    """
    return _load(store, ledger, tenant, rotate).secret


def signing_secrets(store: Store, ledger: Ledger, tenant: str) -> list[str]:
    """Return the secrets that sign a message now: the present one and, for a day, the former one."""
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
