"""``prodgen models``: what can be ordered, and which version a name means."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from prodgen.cli.options import Json, print_json
from prodgen.cli.remote import client, console, print_record, results
from prodgen.errors import ProdgenError

app = typer.Typer(help="List, show, publish, promote and roll back models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A model's name.")]
Alias = Annotated[str, typer.Option(help="What orders call the version by.")]


@app.command("list")
def list_models(json: Json = False) -> None:
    """The models that may be ordered."""
    with client() as gateway:
        found = list(gateway.models())
    if json:
        print_json(found)
        return
    table = Table("model", "version", "aliases", Column("FID", justify="right"), "owner", "size")
    for model in found:
        aliases = ", ".join(model["aliases"])
        row = (model["name"], model["version"], aliases, _fid(model["figure"]), model["owned_by"])
        table.add_row(*row, str(model["size"]))
    results.print(table)


@app.command()
def show(
    ref: Annotated[str, typer.Argument(help="name, name@alias or name@version")], json: Json = False
) -> None:
    """One model: what it can be asked for, where it comes from, and how its aliases have moved."""
    with client() as gateway:
        model = gateway.model(ref)
    if json:
        print_json(model)
        return
    moves = model.pop("history")
    print_record(model, json=False)
    for move in moves:
        results.print(f"{move['at'][:16]} {_told(model['name'], move)}", markup=False, soft_wrap=True)


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="A model folder, such as a run's OUT/model.")],
    name: Annotated[str, typer.Option(help="What the model is called.")],
    tenant: Annotated[str, typer.Option(help="Whose model it is.")],
    alias: Annotated[str | None, typer.Option(help="Points at it from now on, such as staging.")] = None,
    json: Json = False,
) -> None:
    """Bring a model to its tenant's orders; run where the settings (PRODGEN_*) are those of the workers."""
    from prodgen.cli.store import open_store
    from prodgen.registry import PRODUCTION, versions
    from prodgen.registry import publish as publish_one

    if alias == PRODUCTION:
        raise ProdgenError(
            f"{PRODUCTION} is reached by comparison: publish with --alias staging, then "
            f"`prodgen models promote {name} staging`"
        )
    store, where = open_store()
    known = {v.ref for v in versions(store, tenant) if v.owner == tenant}
    version = publish_one(store, folder, name, tenant, () if alias is None else (alias,))
    if json:
        print_json({"model": version.ref, "aliases": version.aliases, "new": version.ref not in known})
        return
    said = (
        f"{version.ref} is in {where} already, and stays as it was described then"
        if version.ref in known
        else f"published in {where}: {version.ref}"
    )
    console.print(said, soft_wrap=True, markup=False)


@app.command()
def promote(
    name: Name,
    version: Annotated[str, typer.Argument(help="A version, or an alias of it such as staging.")],
    alias: Alias = "production",
    force: Annotated[
        bool, typer.Option("--force", help="Even if it scores worse, or cannot be compared.")
    ] = False,
    json: Json = False,
) -> None:
    """Let NAME mean another version for the orders that come, unless it scores worse."""
    with client() as gateway:
        _print_move(gateway.promote(name, version, alias, force), json)


@app.command()
def rollback(name: Name, alias: Alias = "production", json: Json = False) -> None:
    """Let NAME mean the version before, for the orders that come; again, the one before that."""
    with client() as gateway:
        _print_move(gateway.rollback(name, alias), json)


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


def _fid(figure: dict[str, Any] | None) -> str:
    """The figure that decides at a promotion; one by the judge of a training run alone decides nothing."""
    if figure is None:
        return ""
    return f"{figure['fid']:.2f}" + ("" if figure["judge"] else " (its run's)")


def _print_move(move: dict[str, Any], json: bool) -> None:
    if json:
        print_json(move)
    else:
        results.print(_told(move["name"], move), markup=False, soft_wrap=True)


def _told(name: str, move: dict[str, Any]) -> str:
    """A move of an alias, in words."""
    figures = move["figures"] or {}
    fids = [f"{figures[who]['fid']:.2f}" for who in ("candidate", "current") if figures.get(who)]
    notes = [
        f"FID {' against '.join(fids)}" if fids else "",
        "forced" if move["forced"] else "",
        "rolled back" if move["rollback"] else "",
        f"by {move['by']}" if move["by"] else "",
    ]
    before = f", before {move['replaced']}" if move["replaced"] else ""
    told = ", ".join(filter(None, notes))
    return f"{name}@{move['alias']} is {move['version']}{before}" + (f" ({told})" if told else "")
