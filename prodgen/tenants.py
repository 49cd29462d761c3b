"""Weights of tenants. While two tenants wait, the tenant of weight 2 gets twice the images of weight 1."""

import time
from weakref import WeakKeyDictionary

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from prodgen.errors import NotFound, ProdgenError, StoreUnavailable
from prodgen.spec.names import check_name
from prodgen.spec.validation_errors import explain
from prodgen.storage.base import Store
from prodgen.storage.keys import SYSTEM_TENANTS

LEAST, MOST = 0.01, 100.0
CACHE_SECONDS = 5.0
"""Seconds for which a process may use old weights after another process has changed them."""


class _Tenant(BaseModel, extra="forbid", strict=True):
    weight: float = Field(default=1.0, ge=LEAST, le=MOST, allow_inf_nan=False)


_File = TypeAdapter(dict[str, _Tenant])
_cache: WeakKeyDictionary[Store, tuple[float, dict[str, float]]] = WeakKeyDictionary()


def tenant_weight(store: Store, tenant: str) -> float:
    """Return the tenant's weight (1.0 if none is set), which was read at most `CACHE_SECONDS` ago.

    Raises StoreUnavailable if the store does not answer or the file of weights is broken.
    """
    read_at, weights = _cache.get(store, (float("-inf"), {}))
    if time.monotonic() - read_at >= CACHE_SECONDS:
        weights = tenant_weights(store)
        _cache[store] = time.monotonic(), weights
    return weights.get(tenant, 1.0)


def tenant_weights(store: Store) -> dict[str, float]:
    """Read all weights that are set, by tenant; raises StoreUnavailable as `tenant_weight` does."""
    try:
        found = _File.validate_json(store.get(SYSTEM_TENANTS))
    except NotFound:
        return {}
    except ValidationError as error:
        raise StoreUnavailable(f"{SYSTEM_TENANTS} in the store is broken: {explain(error, 'it')}") from None
    return {tenant: settings.weight for tenant, settings in found.items()}


def set_weight(store: Store, tenant: str, weight: float) -> None:
    """Set the tenant's weight, its share of the workers, for orders from now on.

    Raises ProdgenError unless the weight is from `LEAST` to `MOST`. All weights are in one file, so if two
    processes set weights at the same moment, one may undo the change of the other.
    """
    check_name(tenant)
    if not LEAST <= weight <= MOST:
        raise ProdgenError(
            f"a tenant's weight must be from {LEAST:g} to {MOST:g}, not {weight:g}", param="weight"
        )
    weights = {**tenant_weights(store), tenant: weight}
    data = _File.dump_json({name: _Tenant(weight=value) for name, value in sorted(weights.items())}, indent=1)
    store.put(SYSTEM_TENANTS, data, "application/json")
    _cache.pop(store, None)
