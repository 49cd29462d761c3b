"""Find the chunks of data sets that a tenant has uploaded already."""

from collections.abc import Collection
from contextlib import suppress

from prodgen.errors import NotFound
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store

MAX_STATS = 100
"""Up to this many chunks, a request for each chunk costs less than listing all uploads of the tenant."""


def find_chunks(store: Store, tenant: str, digests: Collection[str]) -> dict[str, ObjectInfo]:
    """Return those of the chunks ``digests`` that the tenant has uploaded, by digest."""
    found = {}
    if len(digests) <= MAX_STATS:
        for digest in digests:
            with suppress(NotFound):
                found[digest] = store.stat(keys.upload(tenant, digest))
        return found
    wanted = set(digests)
    first, last, prefix = min(wanted), max(wanted), keys.uploads(tenant)
    for info in store.list(prefix, after=prefix + first[:-1]):  # a shorter key sorts before the first digest
        digest = info.key.removeprefix(prefix)
        if digest in wanted:
            found[digest] = info
        if digest >= last:
            break
    return found
