"""Whether the gateway lives, whether it can work, and its figures."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api_gateway.services import Services, services
from prodgen.ledger.scripts import LedgerLost

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can it work?")
def readyz(here: Annotated[Services, Depends(services)]) -> dict[str, str]:
    """The store and the ledger answer, too; 503 with the reason otherwise."""
    here.store.check()
    if here.ledger.epoch() is None:
        raise LedgerLost
    return {"status": "ready"}


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
def metrics(request: Request) -> Response:
    """Requests, orders, and what the queues owe."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/", include_in_schema=False)
async def home() -> RedirectResponse:
    """People who come by browser find the documentation."""
    return RedirectResponse("/docs")
