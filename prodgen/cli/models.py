"""``prodgen models``: commands for the models of a service, their versions and aliases."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.filesize import decimal
from rich.markdown import Markdown

from prodgen.cli.folders import writing
from prodgen.cli.gateway import connect
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_record, print_table, report, results, say
from prodgen.cli.progress import ProgressBars
from prodgen.errors import ProdgenError

app = typer.Typer(
    help="List, show, download, publish, export, promote and roll back models.", no_args_is_help=True
)

Ref = Annotated[str, typer.Argument(help="NAME, NAME@ALIAS or NAME@VERSION.")]
Name = Annotated[str, typer.Argument(help="Name of the model.")]
Alias = Annotated[str, typer.Option(help="Alias that moves to another version.")]


@app.command("list")
def list_models(json: Json = False) -> None:
    """List the models that an order may name."""
    with connect() as gateway:
        found = list(gateway.models())
    if json:
        print_json(found)
    else:
        rows = ({**model, "FID": _fid(model["figure"])} for model in found)
        print_table(rows, "name", "version", "aliases", "FID", "owned_by", "size", fold=("name", "aliases"))


@app.command()
def show(ref: Ref, json: Json = False) -> None:
    """Show a model: its attributes, origin, aliases and card."""
    with connect() as gateway:
        model = gateway.model(ref)
    if json:
        print_json(model)
        return
    origin = model["lineage"] or {}
    names = ("id", "version", "aliases", "owned_by", "family", "size", "channels", "precision", "tolerance")
    print_record(
        {name: model[name] for name in names}
        | {"FID": _fid(model["figure"])}
        | {one["name"]: _values(one) for one in model["attributes"]}
        | {name: origin.get(name) for name in ("run", "begun_from", "created")}
        | {"trained on": origin.get("data", {}).get("name")}
    )
    for move in model["history"]:
        say(f"{move['at'][:16].replace('T', ' ')} {_sentence(model['name'], move)}")
    if model["card"]:
        results.print(Markdown(model["card"]))


@app.command()
def download(
    ref: Ref,
    out: Annotated[Path, typer.Option(help="Folder for the model. Continues a download that broke off.")],
    json: Json = False,
) -> None:
    """Download a model, to verify its images or to train it further."""
    with connect() as gateway:
        model = gateway.model(ref)
        version = f"{model['name']}@{model['version']}"
        with writing(out), ProgressBars(json, in_bytes=True) as bars:
            for done, size in gateway.download_model(version, out):
                bars.report("Downloading", done, size)
    report(json, {"model": version, "out": str(out)}, f"{version} is in {out}")


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="Model folder, such as OUT/model of `prodgen train`.")],
    name: Annotated[str, typer.Option(help="Name of the model.")],
    tenant: Annotated[str, typer.Option(help="Tenant that owns the model.")],
    alias: Annotated[str | None, typer.Option(help="Alias of the version, such as staging.")] = None,
    json: Json = False,
) -> None:
    """Publish a folder to a tenant in the store of the settings."""
    from prodgen.cli.access import open_store
    from prodgen.registry.publish import publish as publish_one
    from prodgen.registry.versions import PRODUCTION, versions
    from prodgen.spec.model_config import ONNX_WEIGHTS

    if alias == PRODUCTION:
        raise ProdgenError(
            f"{PRODUCTION} is reached by comparison: publish with --alias staging, then "
            f"`prodgen models promote {name} staging`"
        )
    if (folder / ONNX_WEIGHTS).is_file():
        from prodgen.models import load_model

        load_model(folder)  # makes a few images, which shows faults that the file alone does not
    store, where = open_store()
    known = {v.id for v in versions(store, tenant) if v.owner == tenant}
    version = publish_one(store, folder, name, tenant, () if alias is None else (alias,))
    new = version.id not in known
    kept = f"{version.id} is in {where} already, and stays as it was described then"
    result = {"model": version.id, "aliases": version.aliases, "new": new}
    report(json, result, f"published in {where}: {version.id}" if new else kept)


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="Bundled model, model folder, or OWNER/NAME of a hub.")],
    out: Annotated[Path, typer.Option(help="Folder for config.json and model.onnx.")],
    json: Json = False,
) -> None:
    """Export a model as ONNX, which other programs can run too."""
    from prodgen.models import load_model
    from prodgen.models.onnx_export import export_onnx

    loaded = load_model(model)
    with writing(out):
        export_onnx(loaded, out)
    report(json, {"model": loaded.id, "out": str(out)}, f"{loaded.id} is in {out} as ONNX")


@app.command()
def promote(
    name: Name,
    version: Annotated[str, typer.Argument(help="Version, or another alias of it, such as staging.")],
    alias: Alias = "production",
    force: Annotated[
        bool, typer.Option("--force", help="Promote a version that scores worse or cannot be compared.")
    ] = False,
    json: Json = False,
) -> None:
    """Move an alias to another version unless that scores worse."""
    with connect() as gateway:
        _print_move(gateway.promote(name, version, alias, force), json)


@app.command()
def rollback(name: Name, alias: Alias = "production", json: Json = False) -> None:
    """Move an alias back to the version that it named before."""
    with connect() as gateway:
        _print_move(gateway.rollback(name, alias), json)


@app.command()
def remove(
    ref: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A version of your own model.")],
    json: Json = False,
) -> None:
    """Remove a version from the service for good.

    Refused while an alias means it, an order or a run that has not ended needs it, or a version was trained
    from it.
    """
    with connect() as gateway:
        gone = gateway.delete_model(ref)
    report(json, gone, f"removed {ref}: {decimal(gone['bytes'])} freed")


@app.command()
def seed(json: Json = False) -> None:
    """Publish the bundled models in the store of the settings."""
    from prodgen.cli.access import open_store
    from prodgen.registry.publish import publish_bundled

    store, where = open_store()
    published = [version.id for version in publish_bundled(store)]
    report(json, published, f"published in {where}: {', '.join(published)}")


def _values(attribute: dict[str, Any]) -> list[str] | str:
    named = attribute.get("values") or []
    if attribute["kind"] == "choice":
        return named
    return [*named, "any colour"]


def _fid(figure: dict[str, Any] | None) -> str:
    """Return the FID as text, or ``""``. Adds "(its run's)" to an FID that the run's own classifier measured.

    Promotions do not compare such an FID.
    """
    if figure is None:
        return ""
    return f"{figure['fid']:.2f}" + ("" if figure["judge"] else " (its run's)")


def _print_move(move: dict[str, Any], json: bool) -> None:
    if json:
        print_json(move)
    else:
        say(_sentence(move["name"], move))


def _sentence(name: str, move: dict[str, Any]) -> str:
    """Return a line for people about ``move``, a change of an alias of the model ``name``."""
    figures = move["figures"] or {}
    fids = [f"{figures[who]['fid']:.2f}" for who in ("candidate", "current") if figures.get(who)]
    notes = [
        f"FID {' against '.join(fids)}" if fids else "",
        "forced" if move["forced"] else "",
        "rolled back" if move["rollback"] else "",
        f"by {move['by']}" if move["by"] else "",
    ]
    before = f", before {move['replaced']}" if move["replaced"] else ""
    shown = ", ".join(filter(None, notes))
    return f"{name}@{move['alias']} is {move['version']}{before}" + (f" ({shown})" if shown else "")
