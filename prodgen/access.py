"""API keys: each belongs to a tenant and has scopes. The store holds only digests of their secrets."""

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
from typing import Literal, get_args

from pydantic import BaseModel, TypeAdapter

from prodgen.errors import NotFound, ProdgenError, StoreUnavailable, Unavailable
from prodgen.spec.names import check_name
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store

log = logging.getLogger("prodgen.keys")

Scope = Literal["generate", "train", "promote", "admin", "unmarked", "operate"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
BEYOND_ADMIN = ("unmarked", "operate")
"""The scopes that ``admin`` does not include.

``unmarked``: to order images without marks. ``operate``: to act on all tenants of the deployment.
"""

KNOWN_WAIT, UNKNOWN_WAIT = 0.2, 5.0
"""The maximum seconds that `KeyRing.find` waits for the store: for a known key, and for an unknown key."""
PAUSE = 1.0
"""Seconds before `KeyRing` repeats a read of the store that failed, or a search for an unknown key."""
MAX_UNKNOWN = 10_000
"""The maximum number of digests that `KeyRing` remembers as those of no key."""

_SECRET = re.compile(r"pg_[A-Za-z0-9_-]{43}")


class ApiKey(BaseModel, frozen=True):
    """The record of an API key. ``id`` is shown to people; ``digest`` is the sha256 of the secret.

    The secret has 256 random bits, too many to guess, so a hash slower than sha256 is not needed.
    """

    id: str
    digest: str
    tenant: str
    scopes: tuple[Scope, ...]
    label: str = ""
    created: datetime
    revoked: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Return whether the key has ``scope``. ``admin`` includes all scopes except `BEYOND_ADMIN`."""
        return scope in self.scopes or ("admin" in self.scopes and scope not in BEYOND_ADMIN)


_OldFile = TypeAdapter(list[ApiKey])


class KeyRing:
    """The API keys of a deployment. Each key is an object in the store; an older deployment has one file.

    A lookup starts a read of all keys in a background thread if the key is unknown, or if the last read began
    at least ``seconds`` ago. One read runs at a time. So a new key works at once, a revoked key works for at
    most ``seconds`` more, and lookups of many unknown keys share one read. While the store does not answer,
    the keys of the last read stay valid. ``clock`` returns the time in seconds.
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
        self._objects: dict[ObjectInfo, ApiKey | None] = {}  # None: an object that cannot be read

    def create(self, tenant: str, scopes: Sequence[Scope], label: str = "") -> tuple[str, ApiKey]:
        """Create a key. Returns its secret, which is stored nowhere, and its record.

        Raises ProdgenError for an unknown scope, or without any scope.
        """
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes:
            problem = f"there is no scope {unknown[0]!r}; there are" if unknown else "a key needs a scope:"
            raise ProdgenError(f"{problem} {', '.join(SCOPES)}", param="scopes")
        secret = f"pg_{secrets.token_urlsafe(32)}"
        digest = _sha256(secret)
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
        """Read all keys from the store, revoked ones too, and return them oldest first."""
        return sorted(self._load().values(), key=lambda key: key.created)

    def revoke(self, key_id: str) -> ApiKey:
        """Revoke the key with this id for ever, and return its record. Raises NotFound for an unknown id."""
        for key in self.list():
            if key.id == key_id:
                revoked = key.model_copy(update={"revoked": key.revoked or datetime.now(UTC)})
                self._write(revoked)
                return revoked
        raise NotFound(f"there is no key {key_id!r}", param="key")

    def knows(self, digest: str) -> bool:
        """Return whether the key with this digest is in memory, so that `find` does not need the store."""
        return digest in self._keys

    def is_empty(self) -> bool:
        """Return True if no key was read from the store yet, or if the deployment has no keys."""
        return not self._keys

    def lookup(self, secret: str) -> ApiKey | None:
        """Return the record of the key with this secret, or None. Raises what `find` raises."""
        digest = digest_of(secret)
        return self.find(digest) if digest else None

    def find(self, digest: str) -> ApiKey | None:
        """Return the record of the key with this digest; None if no key has it or the key is revoked.

        Raises StoreUnavailable if the key is not in memory and the store cannot be read.
        """
        now = self._clock()
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
        """Wait until there is a read of the keys that began less than ``max_age`` seconds before ``now``.

        A read that began at ``now`` or later is enough in any case. Starts a read if necessary. Raises
        StoreUnavailable if a read fails or takes longer than ``patience`` seconds.
        """
        with self._changed:
            while self._read < now and now - self._read >= max_age:
                if self._reading is None:
                    began = self._clock()
                    if began - self._failed < PAUSE:
                        raise StoreUnavailable(self._failure)
                    threading.Thread(target=self._run_read, args=(began,), name="keys", daemon=True).start()
                    self._reading = began
                left = self._reading + patience - self._clock()
                if left <= 0 or not self._changed.wait(left):
                    raise StoreUnavailable("the store, which holds the API keys, does not answer in time")

    def _run_read(self, began: float) -> None:
        """Read all keys, then wake the lookups that wait for them."""
        found, failure = dict[str, ApiKey](), ""
        known = self._keys
        try:
            found = self._load()
            if known and not found:  # keys are revoked, never deleted
                failure = "the store has lost all API keys; it may not be the one of this deployment"
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
        """Return every key by its digest. Reads only the objects that changed since the last call."""
        try:
            found = {key.digest: key for key in _OldFile.validate_json(self._store.get(keys.SYSTEM_KEYS))}
        except NotFound:
            found = {}
        known = self._objects
        infos = [*self._store.list(keys.API_KEYS)]
        new = [info for info in infos if info not in known]
        with ThreadPoolExecutor(8) as pool:
            fresh = dict(zip(new, pool.map(self._read_key, new), strict=True))
        self._objects = {info: fresh[info] if info in fresh else known[info] for info in infos}
        for info, key in self._objects.items():
            digest = info.key.removeprefix(keys.API_KEYS).removesuffix(".json")
            if kept := key or self._keys.get(digest):
                found[digest] = kept
        return found

    def _read_key(self, info: ObjectInfo) -> ApiKey | None:
        """Return the key in an object. If this version cannot read it, logs a warning and returns None."""
        try:
            return ApiKey.model_validate_json(self._store.get(info.key))
        except ValueError as error:
            log.warning("the API key in %s cannot be read: %s", info.key, error)
            return None


def digest_of(secret: str) -> str | None:
    """Return the digest of a secret, or None if ``secret`` does not have the form of a secret."""
    return _sha256(secret) if _SECRET.fullmatch(secret) else None


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
