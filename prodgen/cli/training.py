"""The commands ``prodgen training …``, which show and control the runs of a service, of every kind."""

import re
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from prodgen.cli.folders import writing
from prodgen.cli.gateway import connect, report_deletion, time_left
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_record, print_table, remark
from prodgen.cli.progress import ProgressBars
from prodgen.client import TERMINAL, Client

app = typer.Typer(help="List, show, watch, pause, resume, cancel and delete runs.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="Id of the run.")]


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, help="The most runs that are listed.")] = 20,
    trash: Annotated[
        bool, typer.Option("--trash", help="List the deleted runs that can be restored.")
    ] = False,
    json: Json = False,
) -> None:
    """List the newest runs, or those in the trash."""
    with connect() as gateway:
        found = list(islice(gateway.trashed_runs() if trash else gateway.runs(), limit))
    if json:
        print_json(found)
    elif trash:
        print_table(found, "id", "title", "deleted", "restorable_until", fold=("title",))
    else:
        fields = ("id", "title", "state", "step", "time_left", "FID")
        print_table(map(_row, found), *fields, fold=("title", "state"))


def _row(run: dict[str, Any]) -> dict[str, Any]:
    title, step = re.sub(r"@[0-9a-f]{12}", "", run["title"]), f"{run['step']}/{run['steps']}"
    fid = run["metrics"].get("domain_fid")
    left = time_left(run["progress"])
    return {**run, "title": title, "state": _state(run), "step": step, "time_left": left, "FID": fid}


@app.command()
def show(run: Id, json: Json = False) -> None:
    """Show a run: its state, its progress and its figures."""
    with connect() as gateway:
        _print(gateway.run(run), json)


@app.command()
def watch(
    run: Id,
    out: Annotated[Path | None, typer.Option(help="Folder for the run's pictures as they come.")] = None,
    json: Json = False,
) -> None:
    """Show a run's progress until it ends; exit with 1 unless it succeeds."""
    with connect() as gateway:
        with writing(out) if out else nullcontext():
            _show_progress(gateway, run, out, quiet=json)
        ended = gateway.run(run)
    _print(ended, json)
    if ended["state"] != "succeeded":
        raise typer.Exit(1)


@app.command()
def cancel(run: Id, json: Json = False) -> None:
    """Stop a run for good."""
    _command(run, "cancel", json)


@app.command()
def pause(run: Id, json: Json = False) -> None:
    """Stop a run after its current step, with a checkpoint."""
    _command(run, "pause", json)


@app.command()
def resume(run: Id, json: Json = False) -> None:
    """Continue a paused run."""
    _command(run, "resume", json)


@app.command()
def delete(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of ended runs.")],
    for_good: Annotated[
        bool, typer.Option("--for-good", help="Skip the trash: delete the files within minutes.")
    ] = False,
    json: Json = False,
) -> None:
    """Delete ended runs with their files; `restore` works for seven days."""
    with connect() as gateway:
        for run in runs:
            report_deletion(json, gateway.delete_run(run, for_good), "run", "prodgen training restore")


@app.command()
def restore(run: Id, json: Json = False) -> None:
    """Restore a run that was deleted in the last seven days."""
    with connect() as gateway:
        _print(gateway.restore_run(run), json)


@app.command()
def metrics(run: Id, json: Json = False) -> None:
    """Print the losses and scores of a training by step."""
    with connect() as gateway:
        found = list(gateway.metrics(run))
    if json:
        print_json(found)
        return
    rows = [{"step": line["step"], **line["losses"], **line["metrics"]} for line in found]
    names = dict.fromkeys(name for row in rows for name in row)
    print_table([names | row for row in rows], *names)


@app.command()
def logs(run: Id) -> None:
    """Print the end of the log of each attempt, oldest first."""
    with connect() as gateway:
        typer.echo(gateway.logs(run))


def _show_progress(gateway: Client, run: str, out: Path | None, quiet: bool) -> None:
    """Show the progress of a run until its end. Download each new sample to the folder ``out``, if given."""
    fetched: set[str] = set()
    with ProgressBars(quiet) as bars:
        for event in gateway.watch_run(run):
            note = f"{event.get('doing') or event['state']}  {_numbers(event)}"
            bars.report(f"run {run[:6]}", event["step"], event["steps"], note)
            if event["type"] == "state":
                reason = gateway.run(run).get("reason") if event["state"] == "queued" else None
                remark(f"{event['state']} at step {event['step']}" + (f": {reason}" if reason else ""))
            for sample in gateway.samples(run) if out else ():
                if out and sample["name"] not in fetched:
                    path = out / Path(sample["name"]).name
                    gateway.fetch_sample(sample, path)
                    fetched.add(sample["name"])
                    remark(f"samples in {path}")


def _numbers(event: dict[str, Any]) -> str:
    numbers = {**event.get("losses", {}), **event.get("metrics", {})}
    shown = [f"{name} {value:.3f}" for name, value in numbers.items() if isinstance(value, float)]
    rate = event.get("images_per_second")
    return "  ".join([*shown, *([f"{rate:.0f} images/s"] if rate else [])])


def _command(run: str, command: str, json: bool) -> None:
    with connect() as gateway:
        before = gateway.run(run)["state"]
        _print(gateway.command(run, command), json)
    if before in TERMINAL:
        remark(f"nothing was changed: the run had ended before, as {before}")
    elif command == "pause" and before == "paused":
        remark("nothing was changed: the run was paused already")
    elif command == "resume" and before != "paused":
        remark(f"nothing was resumed: the run is {before}, not paused")


def _print(run: dict[str, Any], json: bool) -> None:
    if json:
        print_json(run)
        return
    metrics = dict(run["metrics"])
    if figures := metrics.get("figures"):  # of an evaluation: print only the value of each figure
        metrics = {name: figure["value"] for name, figure in figures.items()}
    hidden = ("object", "links", "recipe", "request", "wish")
    shown = {name: value for name, value in run.items() if name not in hidden}
    print_record({**shown, "state": _state(run), "metrics": metrics})


def _state(run: dict[str, Any]) -> str:
    commands = {"pause": "running, to be paused", "cancel": "running, to be cancelled"}
    state = commands.get(run["wish"], run["state"]) if run["state"] == "running" else run["state"]
    return f"{state}, restarted {run['restarts']}x" if run["restarts"] else str(state)
