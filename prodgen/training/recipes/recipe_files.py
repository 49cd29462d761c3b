"""Read recipes: bundled recipes by name, TOML and JSON files by path. Settings can override keys."""

import json
import tomllib
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.validation_errors import explain
from prodgen.training.recipes.recipe import RECIPES, Recipe

FOLDER = resources.files("prodgen") / "recipes"


def load_recipe(ref: str, settings: list[str]) -> Recipe:
    """Return the recipe of a bundled name or a TOML file, with values replaced by ``key=value`` settings.

    Raises ProdgenError that names the wrong key.
    """
    return make_recipe(_read(ref) | parse_settings(settings), f"recipe {ref}")


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Return the values of ``key=value`` settings by key. Raises ProdgenError for a text without ``=``."""
    table = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise ProdgenError(f"--set {text!r} is not key=value, for instance --set steps=20000")
        table[key.strip()] = _value(value.strip())
    return table


def read_recipe(path: Path) -> Recipe:
    """Read a JSON file that ``Recipe.model_dump_json`` wrote. Raises ProdgenError if it is not valid."""
    try:
        table = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ProdgenError(f"{path} is no recipe in JSON: {error}") from None
    if not isinstance(table, dict):
        raise ProdgenError(f"{path} is no recipe in JSON: it is not an object")
    return make_recipe(table, f"recipe {path}")


def make_recipe(table: dict[str, Any], where: str) -> Recipe:
    """Return the recipe with the settings in ``table``.

    Raises ProdgenError if a setting is not valid. The message begins with ``where``, the source of ``table``.
    """
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
        is_unknown = error.errors()[0]["type"] == "extra_forbidden"
        known = f"; a recipe of {family} has {', '.join(kind.model_fields)}" if is_unknown else ""
        raise ProdgenError(f"{where}: {problem}{known}", param=problem.param) from None


def recipe_names() -> list[str]:
    """Return the names of the bundled recipes."""
    return sorted(Path(f.name).stem for f in FOLDER.iterdir() if f.name.endswith(".toml"))


def bundled_table(name: str) -> dict[str, Any]:
    """Return a bundled recipe as a table of keys. Raises NotFound, which lists the bundled names."""
    if name not in recipe_names():
        raise NotFound(f"there is no recipe {name!r}; there are {', '.join(recipe_names())}", param="recipe")
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def bundled_note(name: str) -> str:
    """Return the comment at the top of a bundled recipe, which says what the recipe is for."""
    lines = (FOLDER / f"{name}.toml").read_text().splitlines()
    return " ".join(line[1:].strip() for line in takewhile(lambda line: line.startswith("#"), lines))


def _read(ref: str) -> dict[str, Any]:
    path = Path(ref)
    if path.suffix != ".toml":
        try:
            return bundled_table(ref)
        except NotFound as error:
            raise NotFound(f"{error}, or name a .toml file") from None
    if not path.is_file():
        raise NotFound(f"there is no recipe file {ref}")
    try:
        return tomllib.loads(path.read_bytes().decode(errors="replace"))
    except tomllib.TOMLDecodeError as error:
        raise ProdgenError(f"recipe {ref} is not valid TOML: {error}") from None


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
