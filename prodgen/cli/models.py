"""``prodgen models``: what can be ordered."""

from typing import Annotated

import typer
from rich.table import Table

from prodgen.cli.options import Json, print_json
from prodgen.cli.remote import client, console, print_record, results

app = typer.Typer(help="List and show models.", no_args_is_help=True)


@app.command("list")
def list_models(json: Json = False) -> None:
    """The models that may be ordered."""
    with client() as gateway:
        found = list(gateway.models())
    if json:
        print_json(found)
        return
    table = Table("model", "aliases", "owner", "size")
    for model in found:
        aliases = ", ".join(model.get("aliases", []))
        table.add_row(model["id"], aliases, model["owned_by"], str(model.get("size", "")))
    results.print(table)


@app.command()
def show(
    ref: Annotated[str, typer.Argument(help="name, name@alias or name@version")], json: Json = False
) -> None:
    """One model, and what it can be asked for."""
    with client() as gateway:
        model = gateway.model(ref)
    print_record(model, json)


@app.command()
def seed(json: Json = False) -> None:
    """Publish the bundled models for all; run where the settings (PRODGEN_*) are those of the workers."""
    from prodgen.cli.store import open_store
    from prodgen.registry import seed as publish_all

    store, where = open_store()
    published = [version.ref for version in publish_all(store)]
    if json:
        print_json(published)
    else:
        console.print(f"published in {where}: {', '.join(published)}", soft_wrap=True, markup=False)
