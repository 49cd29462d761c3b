"""``prodgen keys`` and ``prodgen tenants``: commands for the store that the settings (PRODGEN_*) name."""

from pathlib import Path
from typing import Annotated

import typer

from prodgen.access import SCOPES, KeyRing
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_table, remark, report
from prodgen.errors import NotFound
from prodgen.settings import settings
from prodgen.storage import Store, connect
from prodgen.storage.local import is_store
from prodgen.tenants import set_weight, tenant_weights

keys = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


@keys.command()
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


@keys.command("list")
def list_keys(json: Json = False) -> None:
    """List every key, revoked ones too; only digests of keys are kept."""
    store, where = open_store()
    found = [key.model_dump(mode="json", exclude={"digest"}) for key in KeyRing(store).list()]
    if json:
        print_json(found)
    else:
        print_table(found, "id", "tenant", "scopes", "created", "revoked", "label", fold=("scopes", "label"))
        remark(f"in {where}")


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Id of the key, from `prodgen keys list`.")], json: Json = False
) -> None:
    """Revoke a key for good."""
    store, where = open_store()
    found = KeyRing(store).revoke(key)
    report(json, {"id": found.id, "revoked": str(found.revoked)}, f"{found.id} is revoked in {where}")


tenants = typer.Typer(help="List tenants and set their weights.", no_args_is_help=True)


@tenants.command("list")
def list_tenants(json: Json = False) -> None:
    """List the tenants and their weights, which are 1 unless set."""
    store, where = open_store()
    weights = dict.fromkeys((key.tenant for key in KeyRing(store).list()), 1.0) | tenant_weights(store)
    found = [{"tenant": tenant, "weight": weights[tenant]} for tenant in sorted(weights)]
    if json:
        print_json(found)
    else:
        print_table(found, "tenant", "weight")
        remark(f"in {where}")


@tenants.command("set")
def set_tenant(
    tenant: Annotated[str, typer.Argument(help="Name of the tenant.")],
    weight: Annotated[float, typer.Option(help="Share of images while others wait; others have 1.")],
    json: Json = False,
) -> None:
    """Set a tenant's weight for its next orders."""
    store, where = open_store()
    set_weight(store, tenant, weight)
    report(json, {"tenant": tenant, "weight": weight}, f"{tenant} has weight {weight:g} in {where}")


def open_store() -> tuple[Store, str]:
    """Return the store of the settings and its URL. Raises NotFound if the URL is a folder without a store.

    Creates no store: the default URL lies in the current folder, which may be any folder.
    """
    scheme, _, path = settings().store_url.partition("://")
    if scheme != "file" or not path:
        return connect(settings()), settings().store_url
    folder = Path(path).absolute()
    if not is_store(folder):
        raise NotFound(
            f"there is no store in {folder}; set PRODGEN_STORE_URL to file://DIR/store, where DIR is the "
            "--data-dir of `prodgen up`"
        )
    return connect(settings()), f"file://{folder}"
