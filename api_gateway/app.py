"""The application: ``uvicorn --factory api_gateway.app:create_app``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

import prodgen
from api_gateway import errors, logs
from api_gateway.closing import told_of_signals
from api_gateway.metrics import Metrics
from api_gateway.middleware import Bounded, Observed
from api_gateway.routes import (
    aliases,
    datasets,
    events,
    health,
    images,
    jobs,
    models,
    objects,
    runs,
    training,
    uploads,
)
from api_gateway.services import Ring, Services, ring_workers
from prodgen import settings as process
from prodgen.access import KeyRing
from prodgen.connections import connect_ledger
from prodgen.ledger.ledger import Ledger
from prodgen.settings import Settings
from prodgen.storage import Store, connect

ROUTES = (jobs, events, images, uploads, datasets, models, aliases, training, runs, objects, health)

DESCRIPTION = """
Order product images, follow them, fetch them. Every request but the health checks carries an API key:
`Authorization: Bearer pg_…`. Failures are `{"error": {"code", "message", "param"}}`; lists are
`{"object": "list", "data": […], "next": cursor}`, and `?after=cursor` gives the next page.
"""


def create_app(
    settings: Settings | None = None,
    *,
    store: Store | None = None,
    ledger: Ledger | None = None,
    ring: Ring = ring_workers,
) -> FastAPI:
    """The gateway of a deployment; what is not given is made from the settings of the process."""
    settings = settings or process.settings()
    store = store or connect(settings)
    ledger = ledger or connect_ledger(settings, somebody_waits=True)
    here = Services(settings, store, ledger, KeyRing(store), ring)
    # Swagger UI comes from the package, not from another host: the page works without a network, and no other
    # host's script ever sees an API key.
    app: FastAPI = FastAPIOffline(
        title="prodgen",
        description=DESCRIPTION,
        version=prodgen.__version__,
        redoc_url=None,
        lifespan=_lifespan,
        responses={"4XX": {"model": errors.ErrorBody}, 503: {"model": errors.ErrorBody}},
    )
    app.state.services = here
    app.state.metrics = Metrics(ledger)
    errors.install(app)
    for module in ROUTES:
        app.include_router(module.router)
    app.add_middleware(Bounded, unbounded=("/v1/uploads",))
    app.add_middleware(Observed, metrics=app.state.metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    here: Services = app.state.services
    logs.configure()
    here.rebuild()  # a new deployment's ledger, or a wiped one, is not made to wait for a first request
    with told_of_signals(here.closing):
        yield
    here.closing.set()
