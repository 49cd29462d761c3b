"""Read and set the grants of tenants: their share of the workers, and their limits."""

import time
from typing import Annotated
from weakref import WeakKeyDictionary

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from prodgen.errors import NotFound, StoreUnavailable
from prodgen.spec.names import check_name
from prodgen.spec.order import Keep
from prodgen.spec.validation_errors import explain, explain_errors
from prodgen.storage.base import Store
from prodgen.storage.keys import SYSTEM_TENANTS

CACHE_SECONDS = 5.0
"""Seconds for which a process may use an old grant after another process has changed it."""


class Grant(BaseModel, extra="forbid", strict=True, frozen=True):
    """The limits of one tenant. A field that is not set has its default."""

    weight: Annotated[float, Field(ge=0.01, le=100.0, allow_inf_nan=False)] = 1.0
    """While two tenants wait, the tenant of weight 2 gets twice the images of the tenant of weight 1."""
    data_mb: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """MiB that the versions of all data sets may have together; None: any number of data sets."""
    keep: Keep | None = None
    """How long an order is kept after its end, if the order does not say it; None: for ever."""


_File = TypeAdapter(dict[str, Grant])
_cache: WeakKeyDictionary[Store, tuple[float, dict[str, Grant]]] = WeakKeyDictionary()


def grant_of(store: Store, tenant: str) -> Grant:
    """Return the tenant's grant (the defaults if none is set), which was read at most `CACHE_SECONDS` ago.

    Raises StoreUnavailable if the store does not answer or the file of grants is broken.
    """
    read_at, found = _cache.get(store, (float("-inf"), {}))
    if time.monotonic() - read_at >= CACHE_SECONDS:
        found = grants(store)
        _cache[store] = time.monotonic(), found
    return found.get(tenant, Grant())


def grants(store: Store) -> dict[str, Grant]:
    """Read all grants that are set, by tenant; raises StoreUnavailable as `grant_of` does."""
    try:
        return _File.validate_json(store.get(SYSTEM_TENANTS))
    except NotFound:
        return {}
    except ValidationError as error:
        raise StoreUnavailable(f"{SYSTEM_TENANTS} in the store is broken: {explain(error, 'it')}") from None


def set_grant(store: Store, tenant: str, **changes: float | str | None) -> Grant:
    """Change fields of the tenant's grant, for requests from now on, and return the grant.

    Raises ProdgenError for a value that a field cannot have. All grants are in one file, so if two processes
    set grants at the same moment, one may undo the change of the other.
    """
    check_name(tenant)
    found = grants(store)
    try:
        grant = Grant.model_validate({**dict(found.get(tenant, Grant())), **changes})
    except ValidationError as error:
        raise explain_errors(error.errors()) from None
    data = _File.dump_json(dict(sorted({**found, tenant: grant}.items())), indent=1, exclude_defaults=True)
    store.put(SYSTEM_TENANTS, data, "application/json")
    _cache.pop(store, None)
    return grant
