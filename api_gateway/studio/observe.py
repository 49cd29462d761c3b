"""Observe: show the work that waits, the workers, the failed orders, and the images of this month."""

from collections import Counter

from fastapi import APIRouter, Request, Response

from api_gateway.auth import Generator
from api_gateway.deployment import DeploymentDep
from api_gateway.metrics import QUEUES
from api_gateway.routes import jobs, usage
from api_gateway.schemas import Page
from api_gateway.studio.frame import PageRoute, render
from api_gateway.studio.orders import FILTERS, with_names
from prodgen.ledger.roster import Roster

router = APIRouter(include_in_schema=False, route_class=PageRoute)

FAILURES = 8
"""Largest number of failed orders on the page."""


@router.get("/observe")
def observe(request: Request, caller: Generator, deployment: DeploymentDep) -> Response:
    """Show the queues and workers of the deployment, and the failures and the usage of the tenant."""
    ledger, settings = deployment.ledger, deployment.settings
    rates = ledger.rates()
    waiting = [(backlog, rates.wait(backlog.models.items())) for backlog in map(ledger.backlog, QUEUES)]
    roster = Roster(ledger)
    nodes = roster.nodes()
    failed = jobs.index(caller, deployment, FAILURES, None, FILTERS["trouble"].states, None)
    delivered = usage.index(caller, deployment)
    images = Counter[str]()
    if isinstance(delivered, Page):
        for row in delivered.data:
            images[row.model.partition("@")[0]] += row.images
    return render(
        request,
        "observe.html",
        waiting=waiting,
        workers=rates.workers,
        shut_out=ledger.count_shut_out(),
        nodes=len(nodes),
        busy=sum(node.run is not None for node in nodes),
        wanting=roster.backlog(),
        failures=with_names(deployment, caller.tenant, failed.data),
        delivered=images.most_common(),
        links=[("Flower", settings.flower_url), ("Grafana", settings.grafana_url)],
    )
