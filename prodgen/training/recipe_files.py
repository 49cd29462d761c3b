"""Recipes as TOML: those of the package by name, anybody's by path, and settings laid over them."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prodgen.errors import NotFound, ProdgenError
from prodgen.explain import explain
from prodgen.training.recipe import RECIPES, Recipe


def load_recipe(ref: str, settings: list[str]) -> Recipe:
    """The recipe of a bundled name or a TOML file, with ``key=value`` settings laid over it.

    Raises ProdgenError naming the key at fault.
    """
    table = _read(ref)
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise ProdgenError(f"--set {text!r} is not key=value, for instance --set steps=20000")
        table[key.strip()] = _value(value.strip())
    return make_recipe(table, f"recipe {ref}")


def make_recipe(table: dict[str, Any], where: str) -> Recipe:
    """The recipe of a table; ``where`` names it in the error."""
    family = table.get("family", "resnet")
    kind = RECIPES.get(family) if isinstance(family, str) else None
    if kind is None:
        raise ProdgenError(
            f"{where}: there is no family {family!r}; there are {', '.join(RECIPES)}", param="family"
        )
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        problem = explain(error)
        unknown = error.errors()[0]["type"] == "extra_forbidden"
        offers = f"; a recipe of {family} has {', '.join(kind.model_fields)}" if unknown else ""
        raise ProdgenError(f"{where}: {problem}{offers}", param=problem.param) from None


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(Path(f.name).stem for f in _folder().iterdir() if f.name.endswith(".toml"))


def _folder() -> Any:
    return resources.files("prodgen") / "recipes"


def _read(ref: str) -> dict[str, Any]:
    path = Path(ref)
    if path.suffix == ".toml":
        if not path.is_file():
            raise NotFound(f"there is no recipe file {ref}")
        text = path.read_bytes().decode(errors="replace")
    elif ref in recipe_names():
        text = (_folder() / f"{ref}.toml").read_text()
    else:
        raise NotFound(
            f"there is no recipe {ref!r}; there are {', '.join(recipe_names())}, or name a .toml file"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProdgenError(f"recipe {ref} is not valid TOML: {error}") from None


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
