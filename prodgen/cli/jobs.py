"""``prodgen jobs``: what was ordered, and what became of it."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from prodgen.cli.generate import make_folder
from prodgen.cli.options import Json, print_json
from prodgen.cli.remote import client, console, fetch, follow, print_record, results

app = typer.Typer(help="List, show, watch, cancel, download and recover jobs.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="A job's id.")]


@app.command("list")
def list_jobs(limit: Annotated[int, typer.Option(min=1)] = 20, json: Json = False) -> None:
    """The newest jobs."""
    with client() as gateway:
        found = list(islice(gateway.jobs(), limit))
    if json:
        print_json(found)
        return
    table = Table(Column("job", no_wrap=True), "state", "done", "total", "created")
    for job in found:
        table.add_row(*(str(job[k]) for k in ("id", "state", "done", "total")), job["created"][:16])
    results.print(table)


@app.command()
def show(job: Id, json: Json = False) -> None:
    """One job."""
    with client() as gateway:
        print_record(gateway.job(job), json)


@app.command()
def watch(job: Id, json: Json = False) -> None:
    """Follow a job to its end; exit 1 if images are missing."""
    with client() as gateway:
        ended = follow(gateway, gateway.job(job), quiet=json)
    print_record(ended, json)
    if ended["state"] != "succeeded":
        raise typer.Exit(1)


@app.command()
def cancel(job: Id, json: Json = False) -> None:
    """Stop a job; the images that are made stay."""
    with client() as gateway:
        print_record(gateway.cancel(job), json)


@app.command()
def download(job: Id, out: Annotated[Path, typer.Option()], json: Json = False) -> None:
    """Fetch what is made of a job, and its manifest."""
    with client() as gateway:
        found = gateway.job(job)
        make_folder(out)
        count = fetch(gateway, found, out, quiet=json)
    if json:
        print_json({"job": job, "images": count, "out": str(out)})
    else:
        console.print(f"{count} images in {out}")


@app.command()
def recover(json: Json = False) -> None:
    """Rebuild a lost ledger from the store; run where the settings (PRODGEN_*) are those of the workers."""
    from prodgen.cli.store import open_store
    from prodgen.connections import connect_ledger
    from prodgen.recovery import ensure
    from prodgen.settings import settings

    store, where = open_store()
    rebuilt = ensure(store, connect_ledger(settings()))
    if json:
        print_json({"rebuilt": rebuilt})
    else:
        said = "the ledger was rebuilt from" if rebuilt else "the ledger is whole, as is"
        console.print(f"{said} {where}", soft_wrap=True, markup=False)
