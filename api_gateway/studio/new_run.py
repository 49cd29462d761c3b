"""Start a run: upload photographs, cut the products out of them, and train a model on a data set."""

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response

from api_gateway.auth import Trainer
from api_gateway.deployment import DeploymentDep
from api_gateway.routes import datasets, models
from api_gateway.routes.datasets import DatasetView
from api_gateway.studio.frame import PageRoute, render
from prodgen.catalog.attributes_table import TABLES
from prodgen.catalog.picture_files import EXTENSIONS
from prodgen.datasets.listing import CHUNK
from prodgen.errors import ProdgenError
from prodgen.training.recipes.checks import check_recipe
from prodgen.training.recipes.recipe import Recipe
from prodgen.training.recipes.recipe_files import bundled_note, bundled_table, make_recipe, recipe_names

router = APIRouter(prefix="/train", include_in_schema=False, route_class=PageRoute)

SIDES = (64, 128, 256)
"""The sides of cut-outs in pixels for which there are recipes."""


@router.get("/new")
def new(
    request: Request, caller: Trainer, deployment: DeploymentDep, data: str = "", recipe: str = ""
) -> Response:
    """Ask for a data set or photographs, and for the kind of run. The query of the URL holds the choices."""
    newest: dict[str, DatasetView] = {}
    for one in datasets.index(caller, deployment).data:
        newest.setdefault(one.name, one)
    chosen = newest.get(data.partition("@")[0]) or next(iter(newest.values()), None)
    recipes = fitting_recipes(chosen) if chosen else {}
    selected = recipes.get(recipe) or next(iter(recipes.values()), None)
    values: dict[str, Any] = {
        "datasets": list(newest.values()),
        "data": chosen,
        "recipes": {name: bundled_note(name) for name in recipes},
        "recipe": selected,
        "sources": [],
        "sides": SIDES,
        "files": {"pictures": sorted(EXTENSIONS), "tables": TABLES, "chunk": CHUNK},
    }
    if chosen and selected:
        size, channels = selected.size or chosen.summary.size[0], selected.channels or chosen.summary.channels
        values["sources"] = [
            one.id
            for one in models.index(caller, deployment).data
            if (one.family, one.size, one.channels) == (selected.family, size, channels)
        ]
    return render(request, "new_run.html", **values)


def fitting_recipes(data: DatasetView) -> dict[str, Recipe]:
    """Return the bundled recipes that can train on a data set, the most suitable first."""
    summary, found = data.summary, list[tuple[bool, bool, bool, str, Recipe]]()
    side, cut_out, is_folder = summary.size[0], summary.channels == 4, summary.kind == "folder"
    for name in recipe_names():
        recipe = make_recipe(bundled_table(name), name)
        own = (recipe.size in (None, side), recipe.channels in (None, summary.channels))
        if not (is_folder or all(own)):
            continue
        with suppress(ProdgenError):
            size, channels = recipe.size or side, recipe.channels or summary.channels
            check_recipe(recipe, size, channels, summary.images["train"])
            other_kind = bool(recipe.recolour) != cut_out or is_folder != (recipe.channels == 3)
            found.append((other_kind, "GPU" in bundled_note(name), recipe.size is None, name, recipe))
    return {name: recipe for *_, name, recipe in sorted(found, key=lambda one: one[:4])}
