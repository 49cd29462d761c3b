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
    """Follow a job to its end."""
    with client() as gateway:
        print_record(follow(gateway, gateway.job(job), quiet=json), json)


@app.command()
def cancel(job: Id, json: Json = False) -> None:
    """Stop a job; the images that are made stay."""
    with client() as gateway:
        print_record(gateway.cancel(job), json)


@app.command()
def download(job: Id, out: Annotated[Path, typer.Option()], json: Json = False) -> None:
    """Fetch what is made of a job, and its manifest."""
    make_folder(out)
    with client() as gateway:
        count = fetch(gateway, gateway.job(job), out, quiet=json)
    if json:
        print_json({"job": job, "images": count, "out": str(out)})
    else:
        console.print(f"{count} images in {out}")


@app.command()
def recover(json: Json = False) -> None:
    """Rebuild a lost ledger from the store; run where the settings (PRODGEN_*) are those of the workers."""
    from prodgen.connections import connect_ledger
    from prodgen.jobs.recovery import ensure
    from prodgen.settings import settings
    from prodgen.storage import connect

    rebuilt = ensure(connect(settings()), connect_ledger(settings()))
    if json:
        print_json({"rebuilt": rebuilt})
    else:
        console.print("the ledger was rebuilt from the store" if rebuilt else "the ledger is whole")
