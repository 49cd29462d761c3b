"""Train: find a run again, follow its losses and its pictures, and pause, resume or cancel it."""

from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from api_gateway.auth import Trainer
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.lookup import find_run_record, run_details
from api_gateway.requests import ID, Cursor
from api_gateway.routes import runs
from api_gateway.schemas import RunView, SampleView
from api_gateway.studio.frame import PageRoute, render
from api_gateway.studio.orders import TRASHED, Filter
from prodgen.access import ApiKey
from prodgen.errors import NotFound
from prodgen.runs.deletion import DeletedRuns
from prodgen.runs.record import EvaluationSpec, RunRecord, TrainingSpec
from prodgen.storage.base import in_threads

router = APIRouter(prefix="/train", include_in_schema=False, route_class=PageRoute)

PAGE = 20
PLACE: dict[str, Any] = {"home": "/train", "title": "Train"}
"""The path and the title of the page with the list of runs."""
FILTERS = {"all": Filter("All"), "trash": Filter("Deleted")}
CAPTIONS = {
    "preview.png": "Some of the cut-outs",
    "set-aside.png": "Set aside, because the product could not be cut out well",
    "left-out.png": "Left out, because of a fault",
    "samples.png": "Generated images",
    "neighbours.png": "Generated images, and the real images that are nearest to them",
    "interpolation.png": "From one generated image to another",
    "reconstructions.png": "Real images, and what the model makes of them",
}
"""The title of each picture of a preparation or an evaluation, in the order of the page."""


class Listed(NamedTuple):
    """A run in the list. ``picture`` is a link to its newest picture, or None."""

    run: RunView
    record: RunRecord
    kind: str
    picture: str | None


@router.get("")
def index(
    request: Request, caller: Trainer, deployment: DeploymentDep, show: str = "all", after: Cursor = None
) -> Response:
    """Show a page of the list of runs, newest first; with ``show=trash``, the deleted runs."""
    if show == "trash":
        found = islice(DeletedRuns(deployment.store).restorable(caller.tenant), TRASHED)
        deleted = [(one, one.record.name) for one in found]
        return render(request, "trash.html", **PLACE, filters=FILTERS, show=show, deleted=deleted)
    page = runs.index(caller, deployment, PAGE, after)
    listed = list(in_threads(lambda run: _listed(deployment, caller, run), page.data))
    values: dict[str, Any] = {
        "filters": FILTERS,
        "show": "all",
        "following": page.next,
        "first": after is None,
    }
    return render(request, "train.html", **PLACE, **values, runs=listed)


@router.get("/{run}")
def show(request: Request, run: str, caller: Trainer, deployment: DeploymentDep) -> Response:
    """Show one run. For a deleted run, show until when it can be restored.

    The page's script adds the losses and the samples of a training.
    """
    try:
        record = find_run_record(deployment, caller.tenant, run)
    except NotFound:
        deletion = DeletedRuns(deployment.store).deleted(caller.tenant, run) if ID.fullmatch(run) else None
        if deletion is None or not deletion.is_restorable(datetime.now(UTC)):
            raise
        about, restore = "The run is deleted.", f"/v1/training-jobs/{run}/restore"
        values: dict[str, Any] = {"deletion": deletion, "name": deletion.record.name, "restore": restore}
        return render(request, "deleted.html", **PLACE, **values, about=about)
    samples = {one.name: one.url for one in runs.samples(run, caller, deployment).data}
    values = {
        "run": run_details(deployment, record),
        "kind": kind_of(record),
        "pictures": [(samples[name], caption) for name, caption in CAPTIONS.items() if name in samples],
        "lists": [(name, url) for name, url in samples.items() if name.endswith(".jsonl")],
    }
    return render(request, "run.html", **values)


def kind_of(record: RunRecord) -> str:
    """Return the kind of a run: ``training``, ``preparation`` or ``evaluation``."""
    if isinstance(record.spec, TrainingSpec):
        return "training"
    return "evaluation" if isinstance(record.spec, EvaluationSpec) else "preparation"


def _listed(deployment: Deployment, caller: ApiKey, run: RunView) -> Listed:
    record = find_run_record(deployment, caller.tenant, run.id)
    return Listed(run, record, kind_of(record), _newest(runs.samples(run.id, caller, deployment).data))


def _newest(samples: list[SampleView]) -> str | None:
    """Return a link to a training's newest sample, or else to the first picture in `CAPTIONS`, or None."""
    links = {one.name: one.url for one in samples}
    grids = [one.url for one in samples if one.step is not None]
    return grids[-1] if grids else next((links[name] for name in CAPTIONS if name in links), None)
