"""``prodgen training``: the runs that were queued, preparations among them, and what becomes of them."""

import re
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from prodgen.cli.generate import make_folder
from prodgen.cli.options import Json, print_json
from prodgen.cli.remote import client, console, print_record, results
from prodgen.client import Client

app = typer.Typer(help="List, show, watch, pause, resume and cancel training runs.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="A run's id.")]


@app.command("list")
def list_runs(limit: Annotated[int, typer.Option(min=1)] = 20, json: Json = False) -> None:
    """The newest runs."""
    with client() as gateway:
        found = list(islice(gateway.runs(), limit))
    if json:
        print_json(found)
        return
    table = Table(Column("run", no_wrap=True), "what", "state", "step", "FID")
    for run in found:
        fid = run["metrics"].get("domain_fid")
        what = re.sub(r"@[0-9a-f]{12}", "", run["title"])
        step = f"{run['step']} of {run['steps']}"
        table.add_row(run["id"], what, _state(run), step, "" if fid is None else f"{fid:.1f}")
    results.print(table)


@app.command()
def show(run: Id, json: Json = False) -> None:
    """One run."""
    with client() as gateway:
        _print(gateway.run(run), json)


@app.command()
def watch(
    run: Id,
    out: Annotated[Path | None, typer.Option(help="Put the newest sample grids in this folder.")] = None,
    json: Json = False,
) -> None:
    """Follow a run to its end, with its losses and newest samples; exit 1 if it doesn't succeed."""
    with client() as gateway:
        follow(gateway, run, out, quiet=json)
        ended = gateway.run(run)
    _print(ended, json)
    if ended["state"] != "succeeded":
        raise typer.Exit(1)


@app.command()
def cancel(run: Id, json: Json = False) -> None:
    """Stop a run for good."""
    _wish(run, "cancel", json)


@app.command()
def pause(run: Id, json: Json = False) -> None:
    """Stop a run after its step, with a checkpoint."""
    _wish(run, "pause", json)


@app.command()
def resume(run: Id, json: Json = False) -> None:
    """Let a paused run go on."""
    _wish(run, "resume", json)


@app.command()
def logs(run: Id) -> None:
    """What a run wrote, attempt by attempt."""
    with client() as gateway:
        typer.echo(gateway.logs(run))


def follow(gateway: Client, run: str, out: Path | None, quiet: bool) -> None:
    """Show a run's progress until it has ended, and fetch its grids as they come."""
    if out:
        make_folder(out)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    fetched: set[str] = set()
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task(f"run {run[:6]}", total=None)
        for event in gateway.watch_run(run):
            doing = event.get("doing") or (f"step {event['step']}" if event["step"] else event["state"])
            shown = f"{doing}  {_numbers(event)}"
            progress.update(
                task, total=event["steps"], completed=event["step"], description=shown, refresh=True
            )
            if event["type"] == "state":
                progress.console.print(f"{event['state']} at step {event['step']}", markup=False)
            if out:
                for path in _new_samples(gateway, run, out, fetched):
                    progress.console.print(f"samples in {path}", markup=False, soft_wrap=True)


def _new_samples(gateway: Client, run: str, folder: Path, fetched: set[str]) -> list[Path]:
    paths = []
    for sample in gateway.samples(run):
        if sample["name"] not in fetched:
            path = folder / Path(sample["name"]).name
            gateway.fetch_sample(sample, path)
            fetched.add(sample["name"])
            paths.append(path)
    return paths


def _numbers(event: dict[str, Any]) -> str:
    numbers = {**event.get("losses", {}), **event.get("metrics", {})}
    shown = [f"{name} {value:.3f}" for name, value in numbers.items() if isinstance(value, float)]
    rate = event.get("images_per_second")
    return "  ".join([*shown, *([f"{rate:.0f} images/s"] if rate else [])])


def _wish(run: str, wish: str, json: bool) -> None:
    with client() as gateway:
        _print(gateway.wish(run, wish), json)


def _print(run: dict[str, Any], json: bool) -> None:
    if json:
        print_json(run)
        return
    hidden = ("object", "links", "recipe", "request", "wish")
    shown = {name: value for name, value in run.items() if name not in hidden and value not in (None, {}, [])}
    print_record({**shown, "state": _state(run)}, json=False)


def _state(run: dict[str, Any]) -> str:
    wishes = {"pause": "running, to be paused", "cancel": "running, to be cancelled"}
    state = wishes.get(run["wish"], run["state"]) if run["state"] == "running" else run["state"]
    return f"{state}, restarted {run['restarts']}x" if run["restarts"] else str(state)
