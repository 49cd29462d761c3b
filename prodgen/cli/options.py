"""What several commands read in the same way."""

import json
import re
from typing import Annotated, Any

import typer

from prodgen.errors import ProdgenError

Attr = Annotated[
    list[str] | None,
    typer.Option("--attr", help="name=value; several values as a|b, or repeat the option. Left out: drawn."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def parse_attributes(texts: list[str] | None) -> dict[str, list[str]]:
    """``["category=bag|sneaker"]`` -> ``{"category": ["bag", "sneaker"]}``, in the order written."""
    wanted: dict[str, list[str]] = {}
    for text in texts or []:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise ProdgenError(f"--attr {text!r} is not name=value, for instance --attr category=sneaker")
        wanted.setdefault(name.strip(), []).extend(v.strip() for v in re.split(r"\|", values))
    return wanted


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, default=str))
