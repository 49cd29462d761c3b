"""The gateway's application. ``python -m api_gateway`` serves it."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline

import prodgen
from api_gateway import errors
from api_gateway.deployment import Deployment, RingDoorbells, ring_workers
from api_gateway.metrics import Metrics
from api_gateway.middleware import AccessLog, BodyLimits, SecurityHeaders, bind_ids, is_request_id
from api_gateway.routes import (
    control,
    datasets,
    diff,
    downloads,
    health,
    images,
    jobs,
    models,
    objects,
    prompts,
    quotes,
    renders,
    runs,
    tenants,
    trash,
    uploads,
    usage,
    variations,
    webhooks,
)
from api_gateway.studio import (
    compare,
    create,
    models_page,
    new_run,
    observe,
    order_files,
    orders,
    photographs,
    sign_in,
)
from api_gateway.studio import runs as runs_page
from api_gateway.studio.frame import Static
from prodgen import logs, traces
from prodgen import settings as process
from prodgen.access import KeyRing
from prodgen.connections import connect_ledger
from prodgen.ledger.ledger import Ledger
from prodgen.settings import Settings
from prodgen.storage import Store, connect

ROUTES = (
    jobs,
    downloads,
    control,
    diff,
    trash,
    images,
    variations,
    prompts,
    quotes,
    renders,
    uploads,
    datasets,
    models,
    runs,
    usage,
    webhooks,
    tenants,
    objects,
    health,
)
PAGES = (sign_in, create, order_files, orders, photographs, new_run, runs_page, models_page, compare, observe)

DESCRIPTION = """
Order product images, follow the orders, and download the images. Train your own models and promote them.

Send an API key with each request: `Authorization: Bearer pg_…`. Signed links, health checks and metrics need
no key. A failed request answers `{"error": {"type", "code", "message", "param"}}`. A list answers
`{"object": "list", "data": […], "next": cursor}`, and `?after=cursor` gets its next page.
"""


def create_app(
    settings: Settings | None = None,
    *,
    store: Store | None = None,
    ledger: Ledger | None = None,
    ring: RingDoorbells = ring_workers,
) -> FastAPI:
    """Return the gateway's FastAPI application.

    Without ``settings``, reads the settings of the process, and configures logs and traces.
    """
    if settings is None:
        settings = process.settings()
        logs.configure("gateway")
        traces.configure("gateway")
    store = store or connect(settings)
    ledger = ledger or connect_ledger(settings, fail_fast=True)
    # fastapi_offline serves the files of Swagger UI itself: the page works without a network, and no script
    # from another host sees an API key.
    app: FastAPI = FastAPIOffline(
        title="prodgen",
        description=DESCRIPTION,
        version=prodgen.__version__,
        redoc_url=None,
        lifespan=_lifespan,
        dependencies=[Depends(bind_ids)],
        responses={"4XX": {"model": errors.ErrorBody}, 503: {"model": errors.ErrorBody}},
    )
    app.state.deployment = Deployment(settings, store, ledger, KeyRing(store), ring)
    app.state.metrics = Metrics(ledger)
    app.state.readiness = health.Readiness(store, ledger)
    errors.install(app)
    for module in (*ROUTES, *PAGES):
        app.include_router(module.router)
    app.mount("/studio", Static())
    app.add_middleware(
        BodyLimits,
        larger=(
            "/v1/uploads",
            "/v1/images/edits",
            "/v1/images/variations",
        ),
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(AccessLog, metrics=app.state.metrics)
    app.add_middleware(CorrelationIdMiddleware, validator=is_request_id)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # A ledger that is new or was wiped is rebuilt before the first request needs it.
    app.state.deployment.rebuild()
    # The modules and routes stay. To look through them again and again would hold up all requests.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
