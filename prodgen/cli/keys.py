"""``prodgen keys``: who may use the gateway. Works on the store of the settings (PRODGEN_*)."""

from typing import Annotated

import typer
from rich.table import Table

from prodgen.access import SCOPES, KeyRing
from prodgen.cli.options import Json, print_json
from prodgen.cli.remote import console, results
from prodgen.cli.store import open_store
from prodgen.errors import ProdgenError

app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose data the key opens.")],
    scope: Annotated[list[str], typer.Option(help=f"One or more of {', '.join(SCOPES)}.")] = ["generate"],  # noqa: B006
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    json: Json = False,
) -> None:
    """Make a key and print it, this once."""
    unknown = [s for s in scope if s not in SCOPES]
    if unknown:
        raise ProdgenError(f"there is no scope {unknown[0]!r}; there are {', '.join(SCOPES)}")
    store, where = open_store()
    secret, key = KeyRing(store).create(tenant, scope, label)  # type: ignore[arg-type]
    if json:
        print_json({"key": secret, "id": key.id, "tenant": tenant, "scopes": scope})
    else:
        typer.echo(secret)
        console.print(f"made in {where}", soft_wrap=True, markup=False)


@app.command("list")
def list_keys(json: Json = False) -> None:
    """Every key ever made; the keys themselves are not kept."""
    store, where = open_store()
    found = KeyRing(store).list()
    if json:
        print_json([key.model_dump(mode="json", exclude={"digest"}) for key in found])
        return
    table = Table("id", "tenant", "scopes", "label", "created", "revoked")
    for key in found:
        revoked = str(key.revoked or "")
        table.add_row(key.id, key.tenant, ", ".join(key.scopes), key.label, f"{key.created:%F %T}", revoked)
    results.print(table)
    console.print(f"in {where}", soft_wrap=True, markup=False)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="A key's id, from the list.")], json: Json = False
) -> None:
    """Let a key open nothing any more."""
    store, where = open_store()
    found = KeyRing(store).revoke(key)
    if json:
        print_json({"id": found.id, "revoked": str(found.revoked)})
    else:
        console.print(f"{found.id} is revoked in {where}", soft_wrap=True, markup=False)
