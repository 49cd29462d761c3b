"""Which chunks a tenant has brought already: they are uploads, by the sha256 of their content."""

from collections.abc import Collection
from contextlib import suppress

from prodgen.errors import NotFound
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store

FEW = 100
"""Chunks up to which asking for each costs less than a listing of all that the tenant has."""


def chunk_sizes(store: Store, tenant: str, digests: Collection[str]) -> dict[str, int]:
    """The bytes of those of ``digests`` that are in the store."""
    return {digest: info.size for digest, info in find_chunks(store, tenant, digests).items()}


def find_chunks(store: Store, tenant: str, digests: Collection[str]) -> dict[str, ObjectInfo]:
    """Those of ``digests`` that are in the store."""
    found = {}
    if len(digests) <= FEW:
        for digest in digests:
            with suppress(NotFound):
                found[digest] = store.stat(keys.upload(tenant, digest))
        return found
    wanted = set(digests)
    first, last, prefix = min(wanted), max(wanted), keys.uploads(tenant)
    for info in store.list(prefix, after=prefix + first[:-1]):  # a beginning sorts before the whole
        digest = info.key.removeprefix(prefix)
        if digest in wanted:
            found[digest] = info
        if digest >= last:
            break
    return found
