"""The images that clients get by their addresses: a cache in the store that maintenance keeps small.

The key of an image is the digest of its formula. An image that is deleted is made again when it is asked for.
"""

import time
from datetime import UTC, datetime, timedelta

from prodgen.errors import NotFound
from prodgen.jobs.quotas import admit
from prodgen.ledger.renders import Asked, Renders
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store, in_threads, list_folders
from prodgen.tenants import grant_of

SHARDS = 256
"""The parts of a tenant's images, by the first two digits of the digest. Maintenance looks at one a tick."""


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
    admit(renders.ledger, asked.tenant, asked.formula.digest, 1, grant)
    return renders.ask(asked, grant.weight)


def sweep_shard(store: Store, budget: int, days: int, shard: int) -> int:
    """Delete what a shard of each tenant's images has beyond its share of ``budget`` bytes, oldest first.

    Also deletes images that were made more than ``days`` days ago. Returns the number of deleted images.
    """
    oldest = datetime.now(UTC) - timedelta(days=days)

    def sweep(tenant: str) -> int:
        size, surplus = 0, list[str]()
        found = store.list(f"{keys.renders(tenant)}{shard:02x}")
        for info in sorted(found, key=_age):
            size += info.size
            if size > budget // SHARDS or info.modified < oldest:
                surplus.append(info.key)
        store.delete(surplus)
        return len(surplus)

    return sum(in_threads(sweep, list_folders(store, keys.TENANTS)))


def shard_now(seconds: float) -> int:
    """Return the shard to look at now, if maintenance looks every ``seconds`` seconds."""
    return int(time.time() / seconds) % SHARDS


def _age(info: ObjectInfo) -> float:
    return -info.modified.timestamp()
