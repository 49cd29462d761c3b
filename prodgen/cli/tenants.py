"""``prodgen tenants``: commands for the weights of tenants in the store that PRODGEN_STORE_URL names."""

from typing import Annotated

import typer

from prodgen.access import KeyRing
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_table, remark, report
from prodgen.cli.store import open_store
from prodgen.tenants import set_weight, tenant_weights

app = typer.Typer(help="List tenants and set their weights.", no_args_is_help=True)


@app.command("list")
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


@app.command("set")
def set_tenant(
    tenant: Annotated[str, typer.Argument(help="Name of the tenant.")],
    weight: Annotated[float, typer.Option(help="Share of images while others wait; others have 1.")],
    json: Json = False,
) -> None:
    """Set a tenant's weight for its next orders."""
    store, where = open_store()
    set_weight(store, tenant, weight)
    report(json, {"tenant": tenant, "weight": weight}, f"{tenant} has weight {weight:g} in {where}")
