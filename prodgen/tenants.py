"""Read and set the grants of tenants: their share of the workers, and their limits."""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Annotated
from weakref import WeakKeyDictionary

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from prodgen.errors import NotFound, ProdgenError, StoreUnavailable
from prodgen.spec.names import check_name
from prodgen.spec.order import Keep
from prodgen.spec.validation_errors import explain, explain_errors
from prodgen.storage.base import Store
from prodgen.storage.keys import SYSTEM_TENANTS

log = logging.getLogger("prodgen.tenants")

CACHE_SECONDS = 5.0
"""Seconds for which a process may use an old grant after another process has changed it."""


Limit = Annotated[int, Field(ge=1, le=10**15)]


class Grant(BaseModel, extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True):
    """The limits of one tenant. A field that is not set has its default."""

    weight: Annotated[float, Field(ge=0.01, le=100.0, allow_inf_nan=False)] = 1.0
    """While two tenants wait, the tenant of weight 2 gets twice the images of the tenant of weight 1."""
    data_mb: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """MiB that the versions of all data sets may have together; None: any number of data sets."""
    keep: Keep | None = None
    """How long an order is kept after its end, if the order does not say it; None: for ever."""
    keep_runs: Keep | None = None
    """How long a training, preparation or evaluation is kept after its end; None: for ever."""
    images_per_day: Limit | None = None
    """Images that the tenant may order on one day, in UTC."""
    queued_images: Limit | None = None
    """Images of accepted orders that may wait to be made."""
    store_mb: Limit | None = None
    """MiB that all objects of the tenant may have together when an order or an upload arrives."""
    requests_per_second: Annotated[float, Field(ge=0.1, le=10**6, allow_inf_nan=False)] | None = None
    """HTTP requests a second; as many may arrive at once."""
    event_streams: Limit | None = None
    """Event streams that one gateway keeps open for the tenant; None: 64."""


_File = TypeAdapter(dict[str, Grant])
_reading = threading.Lock()
_cache: WeakKeyDictionary[Store, tuple[float, dict[str, Grant]]] = WeakKeyDictionary()


def grant_of(store: Store, tenant: str) -> Grant:
    """Return the tenant's grant, or the defaults if it has none. It is at most `CACHE_SECONDS` old.

    Raises StoreUnavailable if the store does not answer or the file of grants is broken.
    """
    read_at, found = _cache.get(store, (float("-inf"), {}))
    if time.monotonic() - read_at >= CACHE_SECONDS:
        found = grants(store)
        _cache[store] = time.monotonic(), found
    return found.get(tenant, Grant())


def recent_grant(store: Store, tenant: str) -> Grant:
    """Return the tenant's grant as this process last read it, without waiting for the store.

    If it is older than `CACHE_SECONDS`, a thread reads all grants again. Returns the defaults until a first
    read has succeeded.
    """
    read_at, found = _cache.get(store, (float("-inf"), {}))
    if time.monotonic() - read_at >= CACHE_SECONDS and _reading.acquire(blocking=False):
        threading.Thread(target=_read_again, args=(store,), name="grants", daemon=True).start()
    return found.get(tenant, Grant())


def _read_again(store: Store) -> None:
    try:
        _cache[store] = time.monotonic(), grants(store)
    except ProdgenError as error:
        log.warning("the grants of tenants were not read: %s", error)
    finally:
        _reading.release()


def grants(store: Store) -> dict[str, Grant]:
    """Read all grants that are set. Returns them by tenant. Raises StoreUnavailable as `grant_of` does."""
    try:
        return _File.validate_json(store.get(SYSTEM_TENANTS))
    except NotFound:
        return {}
    except ValidationError as error:
        raise StoreUnavailable(f"{SYSTEM_TENANTS} in the store is broken: {explain(error, 'it')}") from None


def list_grants(store: Store, tenants: Iterable[str]) -> dict[str, Grant]:
    """Return the grants of ``tenants``, and of every other tenant that has one, in order of name."""
    found = dict.fromkeys(tenants, Grant()) | grants(store)
    return dict(sorted(found.items()))


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
