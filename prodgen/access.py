"""API keys: whose data a request may use, and how. The store holds only digests of the keys."""

import hashlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.spec.names import check_name
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store

log = logging.getLogger("prodgen.keys")

Scope = Literal["generate", "train", "promote", "admin"]
SCOPES: tuple[Scope, ...] = ("generate", "train", "promote", "admin")

KNOWN_WAIT, UNKNOWN_WAIT = 0.2, 5.0
"""Seconds for which one read of the store may delay the lookups of known keys, and of all others."""
PAUSE = 1.0
"""Seconds for which a failed read, and a key that does not exist, are remembered."""
MAX_UNKNOWN = 10_000
"""Keys that do not exist that are remembered at most."""

_SECRET = re.compile(r"pg_[A-Za-z0-9_-]{43}")


class ApiKey(BaseModel):
    """The record of a key. ``id`` names it to people; ``digest`` is the sha256 of the secret.

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
        """Return whether the key may do what needs ``scope``; an admin key may do everything."""
        return scope in self.scopes or "admin" in self.scopes


_OldFile = TypeAdapter(list[ApiKey])


class KeyRing:
    """The keys of a deployment: one object a key, and the file in which older deployments kept all of them.

    A background thread reads all keys, one read at a time, when a lookup needs it: for a key not seen before,
    and for a known key if the last read is ``seconds`` old. So a new key works at once, a revoked key works
    for at most ``seconds`` more, and many guessed keys share a read. While the store does not answer, known
    keys work as they did at the last read.
    """

    def __init__(
        self, store: Store, seconds: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._clock = clock
        self._changed = threading.Condition()  # never held during a read of the store
        self._reading: float | None = None  # when the read in progress began
        self._read = float("-inf")  # when the last successful read began
        self._failed, self._failure = float("-inf"), ""  # when the last read failed, and why
        self._keys: dict[str, ApiKey] = {}
        self._unknown: dict[str, float] = {}  # digest: when it was found not to exist
        self._objects: dict[ObjectInfo, ApiKey] = {}

    def create(self, tenant: str, scopes: Sequence[Scope], label: str = "") -> tuple[str, ApiKey]:
        """Create a key; return its secret, which is not stored, and its record."""
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
        self._write(key)
        return secret, key

    def list(self) -> list[ApiKey]:
        """Read every key ever made from the store, oldest first."""
        return sorted(self._load().values(), key=lambda key: key.created)

    def revoke(self, key_id: str) -> ApiKey:
        """Make the key of this id invalid for ever; raises NotFound if there is none."""
        for key in self.list():
            if key.id == key_id:
                revoked = key.model_copy(update={"revoked": key.revoked or datetime.now(UTC)})
                self._write(revoked)
                return revoked
        raise NotFound(f"there is no key {key_id!r}", param="key")

    def lookup(self, secret: str) -> ApiKey | None:
        """Return the key with this secret; None if there is none or it is revoked.

        Raises Unavailable for a key not seen before while the store cannot be read.
        """
        if not _SECRET.fullmatch(secret):
            return None
        digest, now = _digest(secret), self._clock()
        if digest in self._keys:
            with suppress(Unavailable):
                self._wait_for_read(now, self._seconds, KNOWN_WAIT)
        elif now - self._unknown.get(digest, float("-inf")) >= PAUSE:
            self._wait_for_read(now, 0.0, UNKNOWN_WAIT)
        key = self._keys.get(digest)
        if key is None:
            if len(self._unknown) >= MAX_UNKNOWN:
                self._unknown = {}
            self._unknown[digest] = now
        return key if key and key.revoked is None else None

    def _write(self, key: ApiKey) -> None:
        self._store.put(keys.api_key(key.digest), key.model_dump_json(indent=1).encode(), "application/json")
        with self._changed:
            self._keys = {**self._keys, key.digest: key}

    def _wait_for_read(self, now: float, max_age: float, patience: float) -> None:
        """Wait until the last read is younger than ``max_age`` at ``now``, or later; start one if necessary.

        Raises Unavailable if a read fails or takes longer than ``patience`` seconds.
        """
        with self._changed:
            while self._read < now and now - self._read >= max_age:
                if self._reading is None:
                    began = self._clock()
                    if began - self._failed < PAUSE:
                        raise Unavailable(self._failure)
                    threading.Thread(target=self._run_read, args=(began,), name="keys", daemon=True).start()
                    self._reading = began
                left = self._reading + patience - self._clock()
                if left <= 0 or not self._changed.wait(left):
                    raise Unavailable("the object store, which holds the API keys, does not answer in time")

    def _run_read(self, began: float) -> None:
        """Read all keys, then wake the lookups that wait for them."""
        found, failure = dict[str, ApiKey](), ""
        try:
            found = self._load()
        except Unavailable as error:
            failure = str(error)
        except Exception:
            log.exception("the API keys cannot be read")
            failure = "the API keys in the object store cannot be read"
        with self._changed:
            if failure:
                self._failed, self._failure = self._clock(), failure
            else:
                self._read = began
                revoked = {digest: key for digest, key in self._keys.items() if key.revoked}
                self._keys = found | revoked  # a key that was revoked during the read stays revoked
            self._reading = None
            self._changed.notify_all()

    def _load(self) -> dict[str, ApiKey]:
        """Read every key, by digest; an object that has not changed since the last read is not read again."""
        try:
            found = {key.digest: key for key in _OldFile.validate_json(self._store.get(keys.SYSTEM_KEYS))}
        except NotFound:
            found = {}
        known = self._objects
        infos = [*self._store.list(keys.API_KEYS)]
        new = [info for info in infos if info not in known]
        with ThreadPoolExecutor(8) as pool:
            read = pool.map(lambda info: ApiKey.model_validate_json(self._store.get(info.key)), new)
            fresh = dict(zip(new, read, strict=True))
        self._objects = {info: known.get(info) or fresh[info] for info in infos}
        return found | {key.digest: key for key in self._objects.values()}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
