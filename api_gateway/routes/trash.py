"""The trash: deleted jobs that can be restored."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query

from api_gateway.auth import Generator
from api_gateway.deployment import DeploymentDep
from api_gateway.requests import Cursor, StrictRoute
from api_gateway.schemas import DeletionView, Page
from prodgen.jobs.deletion import trash

router = APIRouter(prefix="/v1/trash", tags=["jobs"], route_class=StrictRoute)


@router.get("", summary="List deleted jobs")
def index(
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Cursor = None,
) -> Page[DeletionView]:
    """List the deleted jobs that can be restored, by id."""
    deletions = trash(deployment.store, caller.tenant, after or "")
    found = [DeletionView.of(one) for one in islice(deletions, limit + 1)]
    return Page(data=found[:limit], next=found[limit - 1].id if len(found) > limit else None)
