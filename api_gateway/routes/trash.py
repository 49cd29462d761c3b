"""The trash: deleted jobs and runs that can be restored."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query

from api_gateway.auth import Generator, Trainer
from api_gateway.deployment import DeploymentDep
from api_gateway.requests import Cursor, StrictRoute
from api_gateway.schemas import DeletionView, Page, RunDeletionView
from prodgen.jobs.deletion import DeletedJobs
from prodgen.runs.deletion import DeletedRuns

View = TypeVar("View", DeletionView, RunDeletionView)
router = APIRouter(prefix="/v1/trash", tags=["jobs"], route_class=StrictRoute)


@router.get("", summary="List deleted jobs")
def index(
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Cursor = None,
) -> Page[DeletionView]:
    """List the deleted jobs that can be restored, by id."""
    deletions = DeletedJobs(deployment.store).restorable(caller.tenant, after or "")
    return _page(map(DeletionView.of, deletions), limit)


@router.get("/training-jobs", summary="List deleted runs", tags=["training"])
def runs(
    caller: Trainer,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Cursor = None,
) -> Page[RunDeletionView]:
    """List the deleted runs that can be restored, by id."""
    deletions = DeletedRuns(deployment.store).restorable(caller.tenant, after or "")
    return _page(map(RunDeletionView.of, deletions), limit)


def _page(views: Iterator[View], limit: int) -> Page[View]:
    found = list(islice(views, limit + 1))
    return Page(data=found[:limit], next=found[limit - 1].id if len(found) > limit else None)
