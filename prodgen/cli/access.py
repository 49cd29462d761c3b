"""``prodgen keys`` and ``prodgen tenants``: commands for the store that the settings (PRODGEN_*) name."""

from pathlib import Path
from typing import Annotated

import typer

from prodgen.access import SCOPES, KeyRing
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_table, remark, report, words
from prodgen.errors import NotFound, ProdgenError
from prodgen.settings import settings
from prodgen.storage import Store, connect
from prodgen.storage.local import is_store
from prodgen.tenants import Grant, list_grants, set_grant

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


tenants = typer.Typer(help="List tenants, and set what they may use.", no_args_is_help=True)


@tenants.command("list")
def list_tenants(json: Json = False) -> None:
    """List the tenants, their weights and their limits."""
    store, where = open_store()
    all_grants = list_grants(store, (key.tenant for key in KeyRing(store).list()))
    found = [{"tenant": tenant, **dict(grant)} for tenant, grant in all_grants.items()]
    if json:
        print_json(found)
    else:
        print_table(found, "tenant", *Grant.model_fields)
        remark(f"in {where}")


@tenants.command("set")
def set_tenant(
    tenant: Annotated[str, typer.Argument(help="Name of the tenant.")],
    weight: Annotated[
        float | None, typer.Option(help="Share of images while others wait; others have 1.")
    ] = None,
    data_mb: Annotated[
        int | None, typer.Option(help="MiB that all data sets may have together; 0: no limit.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="How long orders are kept after their end: 30d, 12h or forever.")
    ] = None,
    keep_runs: Annotated[
        str | None, typer.Option(help="How long runs are kept after their end: 30d, 12h or forever.")
    ] = None,
    images_per_day: Annotated[
        int | None, typer.Option(help="Images that may be ordered on one day (UTC); 0: no limit.")
    ] = None,
    queued_images: Annotated[
        int | None, typer.Option(help="Images of accepted orders that may wait; 0: no limit.")
    ] = None,
    store_mb: Annotated[
        int | None, typer.Option(help="MiB in the store at which orders and uploads end; 0: no limit.")
    ] = None,
    requests_per_second: Annotated[
        float | None, typer.Option(help="HTTP requests a second; 0: no limit.")
    ] = None,
    event_streams: Annotated[
        int | None, typer.Option(help="Event streams that a gateway keeps open; 0: 64.")
    ] = None,
    json: Json = False,
) -> None:
    """Set the weight and the limits of a tenant, for its next requests."""
    given: dict[str, float | str | None] = {
        "weight": weight,
        "data_mb": data_mb,
        "keep": keep,
        "keep_runs": keep_runs,
        "images_per_day": images_per_day,
        "queued_images": queued_images,
        "store_mb": store_mb,
        "requests_per_second": requests_per_second,
        "event_streams": event_streams,
    }
    changes = {
        name: None if value == "forever" or (value == 0 and name != "weight") else value
        for name, value in given.items()
        if value is not None
    }
    if not changes:
        raise ProdgenError("nothing to set; name an option, such as --weight 2")
    store, where = open_store()
    grant = set_grant(store, tenant, **changes)
    shown = ", ".join(f"{name} {words(value)}" for name, value in grant if value is not None)
    report(json, {"tenant": tenant, **dict(grant)}, f"{tenant} has {shown} in {where}")


def open_store() -> tuple[Store, str]:
    """Return the store that the settings name, and its URL. Raises NotFound if there is no store in a folder.

    Does not create a store, because the default URL is within the current folder, which can be any folder.
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
