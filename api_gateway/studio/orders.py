"""Orders: find an order again, follow it, and see, download or cancel its images."""

from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.lookup import find_job_record, job_details
from api_gateway.requests import ID, Cursor
from api_gateway.routes import jobs, models
from api_gateway.routes.models import ModelView
from api_gateway.schemas import JobView
from api_gateway.studio.frame import PageRoute, render
from prodgen.access import ApiKey
from prodgen.errors import NotFound
from prodgen.jobs.deletion import DeletedJobs
from prodgen.jobs.diff import orders_again
from prodgen.jobs.limits import INTERACTIVE_IMAGES
from prodgen.jobs.record import JobRecord, find_record
from prodgen.ledger.entries import Queue, State
from prodgen.spec.order import FOREVER
from prodgen.storage.base import in_threads

router = APIRouter(prefix="/orders", include_in_schema=False, route_class=PageRoute)

PAGE = 20
TRASHED = 100
"""Largest number of deleted orders on the page."""
KEEP_TIMES = (FOREVER, "7d", "30d", "90d", "365d")
"""The choices of how long an order is kept after its end."""

PLACE: dict[str, Any] = {"home": "/orders", "title": "Orders"}
"""The path and the title of the page with the list of orders."""


class Filter(NamedTuple):
    """A filter of the list of orders: its name on the page, and the states and the queue of its orders."""

    title: str
    states: tuple[State, ...] = ()
    queue: Queue | None = "bulk"


FILTERS = {
    "all": Filter("All"),
    "active": Filter("In progress", ("queued", "running", "paused", "finishing")),
    "done": Filter("Done", ("succeeded",)),
    "trouble": Filter("With failures", ("partial", "failed")),
    "cancelled": Filter("Cancelled", ("cancelled",)),
    "tries": Filter("Tries", queue="interactive"),
    "trash": Filter("Deleted"),
}
"""The filters of the list. Most leave out interactive orders: the page Create places very many of them."""


@router.get("")
def index(
    request: Request, caller: Generator, deployment: DeploymentDep, show: str = "all", after: Cursor = None
) -> Response:
    """List a page of the orders, newest first."""
    if show == "trash":
        deleted = [
            (one, name_of(one.record))
            for one in islice(DeletedJobs(deployment.store).restorable(caller.tenant), TRASHED)
        ]
        return render(request, "trash.html", **PLACE, filters=FILTERS, show=show, deleted=deleted)
    chosen = FILTERS.get(show, FILTERS["all"])
    page = jobs.index(caller, deployment, PAGE, after, chosen.states, chosen.queue)
    return render(
        request,
        "orders.html",
        **PLACE,
        filters=FILTERS,
        show=show,
        orders=with_names(deployment, caller.tenant, page.data),
        following=page.next,
        first=after is None,
    )


@router.get("/{job}")
def show(request: Request, job: str, caller: Generator, deployment: DeploymentDep) -> Response:
    """Show one order and its images. For a deleted order, show until when it can be restored."""
    try:
        record = find_job_record(deployment, caller.tenant, job)
    except NotFound:
        deletion = DeletedJobs(deployment.store).deleted(caller.tenant, job) if ID.fullmatch(job) else None
        if deletion is None or not deletion.is_restorable(datetime.now(UTC)):
            raise
        values: dict[str, Any] = {
            "deletion": deletion,
            "name": name_of(deletion.record),
            "restore": f"/v1/jobs/{job}/restore",
        }
        return render(request, "deleted.html", **PLACE, **values, about="The order is deleted.")
    details = job_details(deployment, record)
    return render(
        request,
        "order.html",
        job=details,
        name=name_of(record),
        interactive_images=INTERACTIVE_IMAGES,
        keep_times=dict.fromkeys([*KEEP_TIMES, details.keep or FOREVER]),
        others=_other_versions(caller, deployment, record),
        again=[(one.id, one.model.partition("@")[2]) for one in orders_again(deployment.store, record)],
    )


@router.get("/{job}/diff/{other}")
def diff(request: Request, job: str, other: str, caller: Generator, deployment: DeploymentDep) -> Response:
    """Show the images of an order beside those of the same order by another version, for people to choose."""
    old, new = (find_job_record(deployment, caller.tenant, one) for one in (job, other))
    details = [job_details(deployment, one) for one in (old, new)]
    return render(request, "diff.html", name=name_of(new), old=details[0], new=details[1])


def _other_versions(caller: ApiKey, deployment: Deployment, record: JobRecord) -> list[ModelView]:
    """Return the other versions of the order's model. Returns none for an order of rejected images."""
    name, _, version = record.model.partition("@")
    found = models.index(caller, deployment).data
    return [one for one in found if one.name == name and one.version != version and not record.replaces]


def with_names(deployment: Deployment, tenant: str, views: list[JobView]) -> list[tuple[JobView, str]]:
    """Return each job with the name that the page shows. Leaves out jobs that are being deleted."""
    records = in_threads(lambda job: find_record(deployment.store, tenant, job.id), views)
    return [(job, name_of(record)) for job, record in zip(views, records, strict=True) if record]


def name_of(record: JobRecord) -> str:
    """Return the name of an order for people: its title, or else its first four values, or else its model."""
    asked = [value for values in record.spec.attributes.values() for value in _listed(values)]
    return record.spec.title or ", ".join(asked[:4]) or record.model.partition("@")[0]


def _listed(values: str | list[str]) -> list[str]:
    return values if isinstance(values, list) else [values]
