"""Orders from a file: drop a CSV, say which columns to read, see every row checked, and order."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api_gateway.auth import Generator
from api_gateway.deployment import DeploymentDep
from api_gateway.studio.create import chosen_of, drawing_models
from api_gateway.studio.frame import PageRoute, render
from prodgen.errors import NotFound, ProdgenError
from prodgen.jobs.order_file import first_rows
from prodgen.spec.spelling import fold, most_similar
from prodgen.storage import keys

router = APIRouter(prefix="/orders", include_in_schema=False, route_class=PageRoute)

HEAD = 1 << 16
"""Number of bytes at the beginning of a file from which the page reads the columns."""
NO_MODEL = "There is no model in production that draws pictures. Train one, or promote a version."
ROWS = 3
"""Number of rows of a file that the page shows."""


@router.get("/new")
def new(
    request: Request,
    caller: Generator,
    deployment: DeploymentDep,
    upload: Annotated[str, Query(pattern="^([0-9a-f]{64})?$")] = "",
    name: str = "",
    model: str = "",
) -> Response:
    """Ask for a file, or for the columns of the uploaded file, which the query names."""
    offered = drawing_models(caller, deployment)
    chosen = chosen_of(offered, model)
    rows, problem, columns = list[list[str]](), "", dict[str, str | None]()
    if upload and not chosen:
        upload, problem = "", NO_MODEL
    if upload:
        try:
            rows = first_rows(deployment.store.get(keys.upload(caller.tenant, upload), 0, HEAD))[: ROWS + 1]
        except NotFound:
            upload, problem = "", "the file is no longer here; choose it again"
        except ProdgenError as error:
            upload, problem = "", error.for_clients
    if rows and chosen:
        wanted = ("sku", "count", *(attribute.name for attribute in chosen.attributes))
        columns = {one: most_similar(one, filter(None, rows[0])) for one in wanted}
        columns["sku"] = next((one for one in rows[0] if "sku" in fold(one)), rows[0][0])
    values: dict[str, Any] = {
        "upload": upload,
        "name": name[:100],
        "models": offered,
        "model": chosen,
        "problem": problem,
    }
    values |= {"rows": rows, "columns": columns}
    return render(request, "new_order.html", **values)
