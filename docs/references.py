"""The generated parts of the reference pages: ``<!-- generated: NAME -->`` becomes ``GENERATED[NAME]()``."""

import inspect
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from pydantic import SecretStr
from schemas import Json, describe_all, describe_model, docstrings, fields, kind, table

RECIPES = Path(__file__).parent.parent / "prodgen" / "recipes"


def cli() -> str:
    """Describe every command with its arguments and options."""
    from prodgen.cli.app import app

    return "\n".join(_command(typer.main.get_command(app), "prodgen"))


def _command(command: Any, path: str) -> Iterator[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            yield from _command(command.get_command(context, name), f"{path} {name}")
        return
    yield f"## {path}\n\n{inspect.cleandoc(command.help or '')}\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    records = [one.get_help_record(context) for one in command.get_params(context)]
    rows = [(f"`{name}`", text) for name, text in filter(None, records) if name != "--help"]
    yield table(("argument or option", "what it does"), rows)


def http() -> str:
    """Describe every route of the HTTP API, and every object that a request or an answer holds."""
    api = _openapi()
    routes = [
        _route(f"{method.upper()} {path}", route)
        for path, methods in api["paths"].items()
        for method, route in methods.items()
    ]
    return "\n".join(["## Routes\n", *routes, "## Objects\n", *describe_all(api["components"]["schemas"])])


def _openapi() -> Json:
    from api_gateway.app import create_app
    from prodgen.settings import Settings
    from prodgen.storage import connect

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_validate(
            {"secret_key": "of-no-deployment", "store_url": f"file://{folder}"}
        )
        return create_app(settings, store=connect(settings)).openapi()


def _route(title: str, route: Json) -> str:
    about = inspect.cleandoc(route.get("description", "")).removeprefix(f"{route['summary']}.").strip()
    opens = "" if route.get("security") else " No key is needed."
    lines = [f"### {title}\n", f"**{route['summary']}.** {about}{opens}\n"]
    rows = [
        (f"`{one['name']}`", one["in"], kind(one["schema"]), one.get("description", ""))
        for one in route.get("parameters", [])
    ]
    lines.append(table(("parameter", "in", "type", "what it is"), rows))
    for media, body in route.get("requestBody", {}).get("content", {}).items():
        lines.append(f"Body: {kind(body['schema'])} (`{media}`)\n")
    for status, answer in route["responses"].items():
        for media, body in answer.get("content", {}).items() if status.startswith("2") else ():
            lines.append(f"Answer {status}: {kind(body.get('schema', {}))} (`{media}`)\n")
    return "\n".join(lines)


def order() -> str:
    """Describe the fields of an order."""
    from prodgen.spec.order import JobSpec

    return describe_model(JobSpec)


def manifest() -> str:
    """Describe the fields of a manifest line."""
    from prodgen.spec.manifest import ManifestLine

    return describe_model(ManifestLine)


def recipes() -> str:
    """Describe the keys of each kind of recipe, and show the bundled recipes."""
    from prodgen.training.recipes.recipe import RECIPES as KINDS

    lines = []
    for recipe in dict.fromkeys(KINDS.values()):
        families = ", ".join(f"`{family}`" for family, one in KINDS.items() if one is recipe)
        lines.append(f"## {families}\n\n{inspect.getdoc(recipe)}\n\n{describe_model(recipe)}")
    lines.append("## Bundled recipes\n")
    for path in sorted(RECIPES.glob("*.toml")):
        lines.append(f"### {path.stem}\n\n```toml\n{path.read_text().strip()}\n```\n")
    return "\n".join(lines)


def settings() -> str:
    """Describe each environment variable that the processes read."""
    from prodgen.settings import Settings

    schema, names = Settings.model_json_schema(), Settings.model_fields
    for name, field in names.items():
        if isinstance(field.default, SecretStr):  # which the schema hides
            schema["properties"][name]["default"] = field.default.get_secret_value()

    def variable(found: re.Match[str]) -> str:
        return f"`PRODGEN_{found[1].upper()}`" if found[1] in names else found[0]

    return re.sub(r"`+(\w+)`+", variable, fields(schema, docstrings(Settings)))


def errors() -> str:
    """List the codes of errors over HTTP."""
    from api_gateway.errors import MEANING, STATUS
    from prodgen.errors import ProdgenError

    about = {one.code: (inspect.getdoc(one) or "").partition("\n\n")[0] for one in _subclasses(ProdgenError)}
    rows = [(f"`{code}`", str(status), MEANING.get(code) or about[code]) for code, status in STATUS.items()]
    return table(("code", "status", "meaning"), rows)


def _subclasses(parent: type[Any]) -> Iterator[type[Any]]:
    for one in parent.__subclasses__():
        yield from _subclasses(one)
    yield parent


GENERATED = {part.__name__: part for part in (cli, http, order, manifest, recipes, settings, errors)}
