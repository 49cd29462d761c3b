"""The images that clients get by their addresses: a cache in the store that maintenance keeps small.

The key of an image is the digest of its formula. An image that is deleted is made again when it is asked for.
"""

import time
from datetime import UTC, datetime, timedelta

from prodgen.errors import NotFound
from prodgen.jobs.quotas import admit
from prodgen.ledger.renders import Asked, Renders
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads, list_folders
from prodgen.tenants import grant_of

PARTS = 256
"""The parts of a tenant's images, by the first two digits of the digest."""
TENANTS = 32
"""The most tenants of whose images maintenance looks at one part a tick."""


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
    """Have workers make an image, within the tenant's quotas. Returns whether the image is new."""
    grant = grant_of(store, asked.tenant)
    admit(renders.ledger, asked.tenant, asked.formula.digest, asked.formula.count, grant)
    return renders.ask(asked, grant.weight)


def trim_renders(store: Store, budget: int, days: int, look: int) -> int:
    """Delete what a part of some tenants' images has beyond its share of ``budget`` bytes, oldest first.

    Looks with numbers in a row go through groups of `TENANTS` tenants, and then to the next part of each.
    Also deletes images that were made more than ``days`` days ago. Returns the number of deleted images.
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
    """Return the number of the present look, if maintenance looks every ``seconds`` seconds."""
    return int(time.time() / seconds)
