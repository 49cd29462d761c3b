"""``prodgen usage``: what a tenant's orders have delivered, by day and model."""

import csv as tables
import sys
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.filesize import decimal

from prodgen.cli.access import open_store
from prodgen.cli.gateway import connect
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_table
from prodgen.errors import ProdgenError
from prodgen.jobs.usage import Usage, read_usage
from prodgen.storage import keys
from prodgen.storage.base import list_folders


def usage(
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First day: 2026-11-01; else of the month.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day; else today.")] = None,
    all_tenants: Annotated[
        bool, typer.Option("--all-tenants", help="Read the store of the settings (PRODGEN_*), not a service.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: Json = False,
) -> None:
    """Show the images that orders have delivered, by day and model.

    A day is that of the order's end, in UTC. Partial and cancelled orders count what they delivered. Deleted
    orders still count.
    """
    until = _day(last) or datetime.now(UTC).date()
    begin = _day(first) or until.replace(day=1)
    fields = list(Usage._fields)
    if all_tenants:
        store, _ = open_store()
        rows: list[dict[str, Any]] = [
            {"tenant": tenant, **one._asdict(), "day": str(one.day)}
            for tenant in list_folders(store, keys.TENANTS)
            for one in read_usage(store, tenant, begin, until)
        ]
        fields = ["tenant", *fields]
    else:
        with connect() as gateway:
            rows = [{name: row[name] for name in fields} for row in gateway.usage(begin, until)]
    if json:
        print_json(rows)
    elif csv:
        writer = tables.DictWriter(sys.stdout, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        shown = [{**row, "images": f"{row['images']:,}", "size": decimal(row["bytes"])} for row in rows]
        print_table(shown, *fields[:-1], "size")


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ProdgenError(f"{text!r} is not a day; write it as 2026-11-30") from None
