"""Remove a version of a tenant's model: its config first, because a version without one is not listed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.registry.versions import VERSION, folder, load_lineage, resolve, versions
from prodgen.spec.model_config import CONFIG
from prodgen.storage.base import Store

RECENT = timedelta(hours=1)
"""Files without a config that are younger than this are kept, because a publication may be under way."""


def remove_version(store: Store, tenant: str, ref: str, check: Callable[[str], None]) -> int:
    """Remove the version ``name@version`` of the tenant; return the number of bytes freed.

    Raises Conflict, and removes nothing, if an alias names the version, or another version was trained from
    it. ``check`` is called with ``name@version``, and raises Conflict if an order or a run needs the version.
    A call after an interrupted call removes the rest. The caller must hold the lock of the model's aliases.
    """
    name, _, version = ref.partition("@")
    if not VERSION.fullmatch(version):
        raise ProdgenError(f"{ref!r} names no version; NAME@ and its 12 hex digits would", param="ref")
    prefix = folder(name, version, tenant) + "/"
    found = list(store.list(prefix))
    if any(info.key == prefix + CONFIG for info in found):
        _check_unused(store, tenant, ref)
        check(ref)
        store.delete([prefix + CONFIG])
    else:
        recent = datetime.now(UTC) - RECENT
        if not found or any(info.modified > recent for info in found):
            resolve(store, ref, tenant)  # raises NotFound, which names the versions that there are
            raise NotFound(f"{ref} is shared by all tenants, and you have none of your own", param="ref")
    store.delete(info.key for info in found)
    return sum(info.size for info in found)


def _check_unused(store: Store, tenant: str, ref: str) -> None:
    """Raise Conflict if an alias or the lineage of another version names the version ``ref``."""
    for other in versions(store, tenant):
        if other.owner != tenant:
            continue
        if other.id == ref and other.aliases:
            names = " and ".join(f"{other.name}@{alias}" for alias in other.aliases)
            raise Conflict(f"{ref} is {names}; promote another version first", param="ref")
        lineage = load_lineage(store, other.prefix)
        if other.id != ref and lineage and lineage.begun_from == ref:
            raise Conflict(f"{other.id} was trained from {ref}; remove {other.id} first", param="ref")
