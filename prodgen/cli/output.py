"""Print the output of commands: sentences, tables and records for people, or JSON for programs."""

import re
from collections.abc import Iterable
from json import dumps
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(stderr=True)
"""Prints progress and remarks on stderr."""
results = Console()
"""Prints results on stdout, for the screen or a pipe."""

_EMPTY: tuple[Any, ...] = (None, "", {}, [], ())
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")


def remark(sentence: str) -> None:
    """Print a sentence on stderr."""
    console.print(sentence, soft_wrap=True, markup=False)


def remark_reading(data: Path) -> None:
    """Print how many pictures of a folder are not used, a line for each reason, and how many are held out."""
    from prodgen.catalog.left_out import left_out
    from prodgen.catalog.picture_files import first_names

    for reason, names in left_out(data).items():
        remark(f"left out: {reason}: {len(names)} ({first_names(names)})")
    remark_held_out(data)


def remark_held_out(data: Path) -> None:
    """If a folder of pictures has no splits, print how many pictures are kept for the split ``test``."""
    from prodgen.catalog.formats import kind, list_pictures

    if kind(data) == "folder" and (held_out := list_pictures(data).held_out):
        remark(
            f"{data} names no splits: {held_out} of its pictures are held out of training as the split test"
        )


def say(line: str) -> None:
    """Print a line of the result on stdout."""
    results.print(line, soft_wrap=True, markup=False)


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    typer.echo(dumps(value, indent=2, default=str))


def report(json: bool, value: Any, sentence: str) -> None:
    """Print what a command did: ``value`` as JSON on stdout if ``json``, else ``sentence`` on stderr."""
    if json:
        print_json(value)
    else:
        remark(sentence)


def print_record(record: dict[str, Any]) -> None:
    """Print the name and value of each field on a line; leave out fields without a value."""
    shown = {name: text for name, value in record.items() if (text := words(value))}
    width = max(12, *map(len, shown))
    for name, text in shown.items():
        say(f"{name:{width}} {text}")


def print_table(records: Iterable[dict[str, Any]], *fields: str, fold: tuple[str, ...] = ()) -> None:
    """Print a table: a row for each record, a column for each of ``fields``. Leaves out empty columns.

    If the table is wider than the screen, only the columns named in ``fold`` become narrower.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    rows = [{field: words(record[field]) for field in fields} for record in records]
    shown = [field for field in fields if not rows or any(row[field] for row in rows)]
    for field in shown:
        table.add_column(field.replace("_", " "), no_wrap=field not in fold, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[field]) for field in shown))
    results.print(table)


def words(value: Any) -> str:
    """Return a JSON value as text for people. Leaves out quotes, outer brackets and empty fields.

    Shows a time without seconds, and a float with four digits.
    """
    if isinstance(value, dict):
        return ", ".join(f"{name} {_inner(inner)}" for name, inner in value.items() if inner not in _EMPTY)
    if isinstance(value, list | tuple):
        return ", ".join(map(_inner, value))
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and _TIME.fullmatch(value):
        return value[:16].replace("T", " ")
    return str(value)


def _inner(value: Any) -> str:
    return f"({words(value)})" if isinstance(value, dict | list | tuple) else words(value)
