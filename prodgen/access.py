"""API keys: who may do what. The store holds only their digests."""

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.names import check_name
from prodgen.storage.base import Store
from prodgen.storage.keys import SYSTEM_KEYS

Scope = Literal["generate", "train", "promote", "admin"]
SCOPES: tuple[Scope, ...] = ("generate", "train", "promote", "admin")

_SECRET = re.compile(r"pg_[A-Za-z0-9_-]{43}")


class ApiKey(BaseModel):
    """A key as it is remembered. ``id`` names it to people; ``digest`` is the sha256 of the secret.

    The secret has 256 random bits, so nothing slower than one sha256 is needed to keep it from being guessed.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    digest: str
    tenant: str
    scopes: tuple[Scope, ...]
    label: str = ""
    created: datetime
    revoked: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether the key may do what needs ``scope``; an admin may do everything."""
        return scope in self.scopes or "admin" in self.scopes


_File = TypeAdapter(list[ApiKey])


class KeyRing:
    """The keys of a deployment, in one file of the store.

    Looking a key up reads the file at most every ``seconds``, or at once for a key not seen before: a new key
    works immediately, a revoked one for so many seconds more. Writers of one process take turns; the store
    knows no conditional write, so of two processes that create or revoke in the same instant one may undo the
    other: keep to one administrator at a time, and look at the list afterwards.
    """

    def __init__(
        self, store: Store, seconds: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, ApiKey] = {}
        self._stale_at = clock()

    def create(self, tenant: str, scopes: Sequence[Scope], label: str = "") -> tuple[str, ApiKey]:
        """A new key: the secret, which nobody can ask for again, and its record."""
        if not scopes:
            raise ProdgenError(f"a key needs a scope: {', '.join(SCOPES)}", param="scopes")
        for scope in scopes:
            if scope not in SCOPES:
                raise ProdgenError(
                    f"there is no scope {scope!r}; there are {', '.join(SCOPES)}", param="scopes"
                )
        secret = f"pg_{secrets.token_urlsafe(32)}"
        digest = _digest(secret)
        key = ApiKey(
            id=digest[:12],
            digest=digest,
            tenant=check_name(tenant),
            scopes=tuple(dict.fromkeys(scopes)),
            label=label,
            created=datetime.now(UTC),
        )
        with self._lock:
            self._write([*self.list(), key])
        return secret, key

    def list(self) -> list[ApiKey]:
        """Every key ever made, oldest first."""
        try:
            return _File.validate_json(self._store.get(SYSTEM_KEYS))
        except NotFound:
            return []

    def revoke(self, key_id: str) -> ApiKey:
        """Let the key open nothing any more; raises NotFound if there is none of this id."""
        with self._lock:
            keys = self.list()
            for at, key in enumerate(keys):
                if key.id == key_id:
                    keys[at] = key.model_copy(update={"revoked": key.revoked or datetime.now(UTC)})
                    self._write(keys)
                    return keys[at]
        raise NotFound(f"there is no key {key_id!r}", param="key")

    def lookup(self, secret: str) -> ApiKey | None:
        """The key that ``secret`` opens, unless it was revoked."""
        if not _SECRET.fullmatch(secret):
            return None
        digest = _digest(secret)
        if self._must_read(digest):
            with self._lock:
                if self._must_read(digest):
                    self._remember(self.list())
        key = self._known.get(digest)
        return key if key and key.revoked is None else None

    def _must_read(self, digest: str) -> bool:
        return digest not in self._known or self._clock() >= self._stale_at

    def _write(self, keys: Sequence[ApiKey]) -> None:
        self._store.put(SYSTEM_KEYS, _File.dump_json([*keys], indent=1), "application/json")
        self._remember(keys)

    def _remember(self, keys: Sequence[ApiKey]) -> None:
        self._known = {key.digest: key for key in keys}
        self._stale_at = self._clock() + self._seconds


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
