"""Photographs: drop pictures of products, choose colours and scenes, see one, and order all."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api_gateway.auth import Generator
from api_gateway.deployment import DeploymentDep
from api_gateway.routes import models
from api_gateway.studio.create import COLOURS, chosen_of
from api_gateway.studio.frame import PageRoute, render
from prodgen.registry.versions import resolve
from prodgen.spec.model_config import STUDIO, studio_config

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/photographs")
def photographs(request: Request, caller: Generator, deployment: DeploymentDep, model: str = "") -> Response:
    """Show the photographs that the browser remembers, and the controls of a model that edits them."""
    views = [
        one for one in models.index(caller, deployment).data if one.family == STUDIO and one.id == one.name
    ]
    chosen = chosen_of(views, model)
    config = studio_config(resolve(deployment.store, chosen.id, caller.tenant).config) if chosen else None
    presets = config.presets if config else {}
    values: dict[str, Any] = {"models": views, "model": chosen, "presets": presets, "colours": COLOURS}
    values["side"] = config.photo_side if config else 0
    return render(request, "photographs.html", query=request.query_params, **values)
