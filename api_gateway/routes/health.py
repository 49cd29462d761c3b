"""Health checks of the gateway, its metrics, and a redirect to its documentation."""

import logging
import threading
import time

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError

from api_gateway.requests import StrictRoute
from prodgen.errors import ProdgenError, Unavailable
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost, translated
from prodgen.storage.base import Store

log = logging.getLogger("prodgen.gateway")
router = APIRouter(tags=["health"], route_class=StrictRoute)

STORE_SECONDS = 5.0
"""Seconds for which the result of a write to the store is kept: a write may be slow or cost money."""

_OBJECT = "system/gateway-ready"


class Readiness:
    """Checks that the ledger and the store accept writes. Threads may share it."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger
        self._probing = threading.Lock()
        self._probed, self._accepts_writes = float("-inf"), False

    def check(self) -> None:
        """Raise Unavailable unless the gateway could accept an order. The message has no path or address."""
        if self._ledger.epoch() is None:
            raise LedgerLost
        try:
            self._ledger.client.set(f"{self._ledger.prefix}gateway-ready", 1, ex=60)
        except RedisError as error:
            plain = translated(error)
            if isinstance(plain, Unavailable):
                raise plain from error
            raise Unavailable("the job ledger (Redis) does not accept writes") from error
        with self._probing:
            if time.monotonic() - self._probed > STORE_SECONDS:
                self._accepts_writes = self._write_to_store()
                self._probed = time.monotonic()
        if not self._accepts_writes:
            raise Unavailable("the object store does not accept writes")

    def _write_to_store(self) -> bool:
        try:
            self._store.put(_OBJECT, b"")
        except ProdgenError as error:
            log.warning("the object store does not accept writes: %s", error)
            return False
        return True


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Check that the gateway is alive")
async def healthz() -> dict[str, str]:
    """Answer as long as the process works."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Check that the gateway takes orders")
def readyz(request: Request) -> dict[str, str]:
    """Answer 503, with the reason, while the store or the ledger does not accept an order."""
    request.app.state.readiness.check()
    return {"status": "ready"}


@router.get("/metrics", summary="Read the metrics for Prometheus", response_class=Response)
def metrics(request: Request) -> Response:
    """Return counts of requests and orders, and how much work the queues hold."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/", include_in_schema=False)
async def home() -> RedirectResponse:
    """Redirect browsers to the documentation."""
    return RedirectResponse("/docs")
