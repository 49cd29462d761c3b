"""Usage: what a tenant's orders have delivered, by day and model."""

import csv
import io
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from api_gateway.auth import Anyone
from api_gateway.deployment import DeploymentDep
from api_gateway.requests import StrictRoute
from api_gateway.schemas import Page
from prodgen.jobs.usage import Usage, read_usage

router = APIRouter(prefix="/v1/usage", tags=["usage"], route_class=StrictRoute)


class UsageView(BaseModel):
    """Images of one model in the orders that ended on one day (UTC). ``bytes`` is their size."""

    object: Literal["usage"] = "usage"
    day: date
    model: str
    orders: int
    images: int
    bytes: int


@router.get(
    "",
    summary="Show your usage",
    response_model=Page[UsageView],
    responses={200: {"content": {"text/csv": {}}}},
)
def index(
    caller: Anyone,
    deployment: DeploymentDep,
    first: Annotated[
        date | None, Query(alias="from", description="The first day; by default of the month.")
    ] = None,
    last: Annotated[date | None, Query(alias="to", description="The last day; by default today.")] = None,
    format: Annotated[Literal["json", "csv"], Query(description="`csv`: a table as a file.")] = "json",
) -> Page[UsageView] | Response:
    """List the images and bytes that your orders have delivered, by the day of their end and by model.

    Partial and cancelled orders count what they delivered. Deleted orders still count.
    """
    last = last or datetime.now(UTC).date()
    rows = read_usage(deployment.store, caller.tenant, first or last.replace(day=1), last)
    if format == "json":
        return Page(data=[UsageView(**row._asdict()) for row in rows])
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([Usage._fields, *rows])
    return Response(table.getvalue(), media_type="text/csv; charset=utf-8")
