"""Quotes: check an order and say how long it would take, without placing it."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter

from api_gateway.auth import Generator
from api_gateway.deployment import DeploymentDep
from api_gateway.requests import StrictRoute
from api_gateway.schemas import QuoteView
from prodgen.jobs.submission import quote
from prodgen.spec.order import JobSpec

router = APIRouter(prefix="/v1/quotes", tags=["quotes"], route_class=StrictRoute)


@router.post("", summary="Check an order")
def check(spec: JobSpec, caller: Generator, deployment: DeploymentDep) -> QuoteView:
    """Check an order without placing it. Answers as `POST /v1/jobs` would if the order is at fault."""
    total, seconds = quote(deployment.store, deployment.ledger, deployment.settings, caller.tenant, spec)
    in_time = None
    if seconds is not None and spec.finish_by:
        in_time = datetime.now(UTC) + timedelta(seconds=seconds) <= spec.finish_by
    return QuoteView(total=total, seconds=None if seconds is None else round(seconds, 1), in_time=in_time)
