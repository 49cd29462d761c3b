"""The quotas of tenants: images ordered a day, images queued, and bytes stored."""

import time
from itertools import islice
from typing import Any

from prodgen.errors import Forbidden, TooManyRequests
from prodgen.ledger.ledger import Ledger
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.tenants import Grant, grants

MEASURE_SECONDS = 300
"""Seconds after which the stored bytes of a tenant with a limit are measured again."""
OBJECTS = 20_000
"""The most objects that one call of `measure_stored` looks at."""


def admit(ledger: Ledger, tenant: str, job: str, images: int, grant: Grant) -> None:
    """Count the images of an order against the tenant's quotas, just before the ledger gets the order.

    Raises TooManyRequests if the order fits later, and Forbidden if it cannot fit later. Atomic: two gateways
    that admit orders at the same time do not exceed a quota together.
    """
    check_stored(ledger, tenant, grant)
    per_day, queued = grant.images_per_day, grant.queued_images
    if per_day is None and queued is None:
        return
    for limit, when in ((per_day, "a day"), (queued, "at a time")):
        if limit is not None and images > limit:
            raise Forbidden(
                f"this order asks for {images:,} images; this tenant may order {limit:,} {when}",
                param="count",
            )
    refusal = ledger.admit(tenant, job, images, per_day, queued)
    if refusal and refusal.limit == "day":
        raise TooManyRequests(
            f"this tenant may order {per_day:,} images a day and has ordered {refusal.used:,};"
            f" order this after midnight UTC, in {_duration(refusal.midnight)}",
            param="images_per_day",
            retry_after=refusal.midnight,
        )
    if refusal:
        raise TooManyRequests(
            f"this tenant may have {queued:,} images queued and has {refusal.used:,};"
            f" order this when {refusal.used + images - (queued or 0):,} of them are made",
            param="queued_images",
        )


def check_stored(ledger: Ledger, tenant: str, grant: Grant) -> None:
    """Raise Forbidden if the last measurement found that the tenant stores as many bytes as it may store."""
    if grant.store_mb is None:
        return
    stored = int(ledger.scripts.read("hgetall", "stored", tenant).get("bytes", 0))
    if stored >= grant.store_mb << 20:
        raise Forbidden(
            f"this tenant may store {grant.store_mb:,} MiB and stores {stored >> 20:,} MiB; delete orders,"
            f" uploads or data sets, which counts within {MEASURE_SECONDS // 60} minutes",
            param="store_mb",
        )


def measure_stored(store: Store, ledger: Ledger) -> None:
    """Measure the stored bytes of the tenants with a limit. One call looks at no more than `OBJECTS` objects.

    Continues a measurement that an earlier call has begun, then measures the tenants that were measured
    longest ago.
    """
    limited = [tenant for tenant, grant in grants(store).items() if grant.store_mb is not None]
    known = {tenant: ledger.scripts.read("hgetall", "stored", tenant) for tenant in limited}
    due = [
        (not one.get("after"), float(one.get("at", 0)), tenant)
        for tenant, one in known.items()
        if one.get("after") or time.time() - float(one.get("at", 0)) >= MEASURE_SECONDS
    ]
    room = OBJECTS
    for _, _, tenant in sorted(due):
        after, size = known[tenant].get("after", ""), int(known[tenant].get("size", 0))
        found = list(islice(store.list(keys.tenant(tenant), after=after), room))
        size += sum(info.size for info in found)
        fields: dict[Any, Any] = {"after": "", "size": 0, "bytes": size, "at": time.time()}
        if len(found) == room:
            fields = {"after": found[-1].key, "size": size}
        ledger.client.hset(f"{ledger.prefix}stored:{tenant}", mapping=fields)
        room -= len(found)
        if not room:
            return


def _duration(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60 + 1, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
