"""``prodgen keys``: commands for the API keys in the store that the settings (PRODGEN_*) name."""

from typing import Annotated

import typer

from prodgen.access import SCOPES, KeyRing
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_table, remark, report
from prodgen.cli.store import open_store

app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    tenant: Annotated[str, typer.Option(help="Tenant whose data the key opens.")],
    scope: Annotated[list[str], typer.Option(help=f"{', '.join(SCOPES)}; repeatable.")] = ["generate"],  # noqa: B006
    label: Annotated[str, typer.Option(help="Note about the key's purpose.")] = "",
    json: Json = False,
) -> None:
    """Create a key and print it; it cannot be printed again."""
    store, where = open_store()
    secret, key = KeyRing(store).create(tenant, scope, label)  # type: ignore[arg-type]
    if not json:
        typer.echo(secret)
    report(json, {"key": secret, "id": key.id, "tenant": tenant, "scopes": scope}, f"created in {where}")


@app.command("list")
def list_keys(json: Json = False) -> None:
    """List every key, revoked ones too; only digests of keys are kept."""
    store, where = open_store()
    found = [key.model_dump(mode="json", exclude={"digest"}) for key in KeyRing(store).list()]
    if json:
        print_json(found)
    else:
        print_table(found, "id", "tenant", "scopes", "created", "revoked", "label", fold=("scopes", "label"))
        remark(f"in {where}")


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Id of the key, from `prodgen keys list`.")], json: Json = False
) -> None:
    """Revoke a key for good."""
    store, where = open_store()
    found = KeyRing(store).revoke(key)
    report(json, {"id": found.id, "revoked": str(found.revoked)}, f"{found.id} is revoked in {where}")
