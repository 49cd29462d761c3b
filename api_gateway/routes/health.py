"""Health checks of the gateway, and its metrics."""

import logging
import time

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST
from redis.exceptions import RedisError

from api_gateway.recent import Recent
from api_gateway.requests import StrictRoute
from prodgen.errors import ProdgenError, Unavailable
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost, translated
from prodgen.storage.base import Store

log = logging.getLogger("prodgen.gateway")
router = APIRouter(tags=["health"], route_class=StrictRoute)

READY_SECONDS, FAILED_SECONDS = 5.0, 1.0
"""Seconds between two checks while the gateway is ready, and while it is not ready."""
STORE_SECONDS = 10.0
"""Seconds between two test writes to a store that works, because a write may be slow or cost money."""

_OBJECT = "system/gateway-ready"


class Readiness:
    """Checks that the ledger and the store accept writes. All callers share the result of a check."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger
        self._written = float("-inf")
        self._problem = Recent(self._find_problem, lambda p: FAILED_SECONDS if p else READY_SECONDS)

    async def check(self) -> None:
        """Raise a ProdgenError if the gateway cannot accept an order, because Redis or the store fails.

        The error message contains no path and no URL, because anybody may read it.
        """
        if problem := await self._problem.get():
            raise problem.with_traceback(None)  # each raise would make the traceback longer

    def _find_problem(self) -> ProdgenError | None:
        try:
            if self._ledger.epoch() is None:
                return LedgerLost()
            self._ledger.client.set(f"{self._ledger.prefix}gateway-ready", 1, ex=60)
        except RedisError as error:
            plain = translated(error)
            if isinstance(plain, Unavailable):
                return plain
            return Unavailable("the job ledger (Redis) does not accept writes")
        except ProdgenError as error:
            return error
        if time.monotonic() - self._written > STORE_SECONDS:
            try:
                self._store.put(_OBJECT, b"")
            except ProdgenError as error:
                log.warning("the object store does not accept writes: %s", error)
                return Unavailable("the object store does not accept writes")
            self._written = time.monotonic()
        return None


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Check that the gateway is alive")
async def healthz() -> dict[str, str]:
    """Answer as long as the process works."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Check that the gateway takes orders")
async def readyz(request: Request) -> dict[str, str]:
    """Answer 503, with the reason, while the store or the ledger does not accept an order.

    Several requests within 5 seconds share one check.
    """
    await request.app.state.readiness.check()
    return {"status": "ready"}


@router.get("/metrics", summary="Read the metrics for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Return counts of requests and orders, and how much work the queues hold."""
    return Response(await request.app.state.metrics.text.get(), media_type=CONTENT_TYPE_LATEST)
