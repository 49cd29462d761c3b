"""The images that clients get by their addresses. The store caches them, and maintenance trims the cache.

The key of an image is the digest of its formula. A deleted image is made again when a client asks for it.
"""

import time
from datetime import UTC, datetime, timedelta

from prodgen.errors import NotFound
from prodgen.jobs.photographs import check_upload
from prodgen.jobs.quotas import admit
from prodgen.ledger.renders import Asked, Renders
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads, list_folders
from prodgen.tenants import grant_of

PARTS = 256
"""The number of parts of a tenant's images. All digests in a part have the same first two hex digits."""
TENANTS = 32
"""The most tenants whose images maintenance trims in a tick: one part of each tenant's images."""


def cache_key(asked: Asked) -> str:
    """Return the key of an image in the store."""
    return keys.render(asked.tenant, asked.formula.digest)


def read(store: Store, asked: Asked) -> bytes | None:
    """Return the file of an image, or None if the store does not have it."""
    try:
        return store.get(cache_key(asked))
    except NotFound:
        return None


def ask(store: Store, renders: Renders, asked: Asked) -> bool:
    """Have workers make an image, within the tenant's quotas. Returns whether the image is new.

    Raises ProdgenError if the tenant has no such picture to start from.
    """
    grant, formula = grant_of(store, asked.tenant), asked.formula
    if formula.picture:
        check_upload(store, asked.tenant, formula.picture.sha256)
    admit(renders.ledger, asked.tenant, formula.digest, formula.count, grant)
    return renders.ask(asked, grant.weight)


def trim_renders(store: Store, budget: int, days: int, look: int) -> int:
    """Delete the oldest images of one part of some tenants' images. Returns the number of deleted images.

    ``budget``: the most bytes of a tenant's images; each part has an equal share. Images that are older than
    ``days`` days are deleted in any case. ``look`` chooses the tenants and the part: consecutive numbers go
    through all groups of `TENANTS` tenants, then through the groups again with the next part.
    """
    oldest = datetime.now(UTC) - timedelta(days=days)
    tenants = sorted(list_folders(store, keys.TENANTS))
    groups = max(1, -(-len(tenants) // TENANTS))
    part, group = look // groups % PARTS, look % groups

    def trim(tenant: str) -> int:
        size, surplus = 0, list[str]()
        found = store.list(f"{keys.renders(tenant)}{part:02x}")
        for info in sorted(found, key=lambda info: info.modified, reverse=True):
            size += info.size
            if size > budget // PARTS or info.modified < oldest:
                surplus.append(info.key)
        store.delete(surplus)
        return len(surplus)

    return sum(in_threads(trim, tenants[group * TENANTS :][:TENANTS]))


def look_now(seconds: float) -> int:
    """Return ``look`` for `trim_renders` at this time, if it is called every ``seconds`` seconds."""
    return int(time.time() / seconds)
