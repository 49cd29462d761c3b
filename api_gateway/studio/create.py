"""Create: choose a model and attributes, see pictures at once, keep some, and order them."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import RedirectResponse

from api_gateway.auth import Anyone, Generator, allowed
from api_gateway.deployment import DeploymentDep
from api_gateway.routes import models
from api_gateway.routes.models import ModelView
from api_gateway.studio.frame import PageRoute, failure, pages_of, render
from prodgen.spec.model_config import STUDIO
from prodgen.spec.order import sku_seed
from prodgen.spec.redrawing import ENCODERS

router = APIRouter(include_in_schema=False, route_class=PageRoute)
data = APIRouter(include_in_schema=False)

PICTURES = 24
"""How many pictures the page shows."""

COLOURS = (
    "white", "silver", "gray", "black", "beige", "tan", "saddlebrown", "crimson", "tomato", "orange", "gold",
    "olive", "forestgreen", "teal", "skyblue", "royalblue", "navy", "indigo", "orchid", "pink",
)  # fmt: skip
"""The CSS names of the colours that the page offers first."""


@router.get("/")
def home(request: Request, caller: Anyone) -> Response:
    """Redirect the browser to the first page that the key may see."""
    for path in pages_of(caller):
        return RedirectResponse(path, 303)
    return failure(request, "this key may see no page of the studio; sign in with another", 403)


@router.get("/create")
def create(request: Request, caller: Generator, deployment: DeploymentDep, model: str = "") -> Response:
    """Show the controls of a model. The query holds all choices, so that people can bookmark the page."""
    offered = drawing_models(caller, deployment)
    chosen, query = chosen_of(offered, model), request.query_params
    looks = looks_of(query.get("looks", "")[:100] or secrets.token_hex(3))
    return render(
        request,
        "create.html",
        models=offered,
        model=chosen,
        colours=COLOURS,
        query=query,
        looks=looks,
        reads=chosen is not None and chosen.family in ENCODERS,
    )


@data.get("/create/looks/{name}", dependencies=[Depends(allowed("generate"))])
def looks_of(name: Annotated[str, Path(max_length=100)]) -> list[tuple[str, int]]:
    """Return the looks of this name: for each picture its SKU, and the seed that orders give to the SKU."""
    skus = [f"{name}-{place:02}" for place in range(1, PICTURES + 1)]
    return [(sku, sku_seed(0, sku)) for sku in skus]


router.include_router(data)


def drawing_models(caller: Generator, deployment: DeploymentDep) -> list[ModelView]:
    """Return the production version of each model that needs no photographs, the tenant's models first."""
    views = [one for one in models.index(caller, deployment).data if one.family != STUDIO]
    named = [one for one in views if one.id == one.name]
    return sorted(named, key=lambda one: (one.owned_by == "shared", -one.channels, one.name))


def chosen_of(offered: list[ModelView], wanted: str) -> ModelView | None:
    """Return the model with the id ``wanted``, or else the first model; None if ``offered`` is empty."""
    return next((one for one in offered if one.id == wanted), offered[0] if offered else None)
