"""Markdown tables from JSON schemas, for the generated parts of the reference pages."""

import ast
import inspect
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]
HEADER = ("field", "type", "default", "what it is")

_LIMITS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "pattern": "like",
}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, or nothing if it has no rows."""
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *cells] if rows else []
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def describe_model(model: type[BaseModel]) -> str:
    """Return the fields of a Pydantic model, then those of the models inside it."""
    schema = model.model_json_schema()
    return "\n".join([fields(schema, docstrings(model)), *describe_all(schema.get("$defs", {}))])


def describe_all(defs: Json) -> Iterator[str]:
    """Yield a section for each schema, in alphabetical order."""
    for name, schema in sorted(defs.items()):
        about = inspect.cleandoc(schema.get("description", ""))
        yield f"### {name}\n\n{about}\n\n{fields(schema)}"


def fields(schema: Json, about: dict[str, str] | None = None) -> str:
    """Return a table of the fields of an object; ``about`` describes fields that the schema does not."""
    rows = []
    for name, field in schema.get("properties", {}).items():
        default = "**required**" if name in schema.get("required", []) else _default(field)
        rows.append(
            (f"`{name}`", kind(field), default, field.get("description") or (about or {}).get(name, ""))
        )
    return table(HEADER, rows)


def _default(field: Json) -> str:
    value = field.get("default")
    if value is None:
        return ""
    return "its own defaults" if "$ref" in field else f"`{value}`" if value != "" else "empty"


def kind(schema: Json) -> str:
    """Return a schema's type in words, with links to the objects described on the same page."""
    if ref := schema.get("$ref"):
        name = ref.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(kind, choices)))
    if values := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{value}`" for value in values)
    if schema.get("type") == "array":
        parts = schema.get("prefixItems") or [schema.get("items", {})]
        return f"list of {' and '.join(dict.fromkeys(map(kind, parts)))}"
    if isinstance(under := schema.get("additionalProperties"), dict):
        return f"object of {kind(under)}"
    limits = [f"{sign} `{schema[key]}`" for key, sign in _LIMITS.items() if key in schema]
    return " ".join([schema.get("type", "any"), *limits])


def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the string that stands under each field in the model's source."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base.__module__.startswith("prodgen"):
            body = ast.parse(inspect.getsource(base)).body[0].body
            for line, under in pairwise(body):
                if isinstance(line, ast.AnnAssign) and isinstance(under, ast.Expr):
                    found[line.target.id] = inspect.cleandoc(under.value.value)
    return found
