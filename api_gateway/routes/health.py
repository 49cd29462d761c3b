"""Whether the gateway is alive and ready, its metrics, and the way to its documentation."""

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api_gateway.deployment import DeploymentDep
from api_gateway.json_body import Router

router = Router(tags=["health"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Check that the gateway is alive")
async def healthz() -> dict[str, str]:
    """Answer as long as the process works."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Check that the gateway takes orders")
def readyz(deployment: DeploymentDep) -> dict[str, str]:
    """Answer 503, with the reason, while the store or the ledger does not accept an order."""
    deployment.readiness.check()
    return {"status": "ready"}


@router.get("/metrics", summary="Read the metrics for Prometheus", response_class=Response)
def metrics(request: Request) -> Response:
    """Return counts of requests and orders, and how much work the queues hold."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/", include_in_schema=False)
async def home() -> RedirectResponse:
    """Send people who open the gateway in a browser to its documentation."""
    return RedirectResponse("/docs")
