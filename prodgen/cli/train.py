"""``prodgen train``: a model from a recipe and a catalogue, on this machine."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from prodgen.cli.generate import make_folder
from prodgen.cli.options import Json, print_json
from prodgen.client import Client
from prodgen.errors import ProdgenError

SHOWN = ("domain_fid", "agreement", "diversity")


def train(
    recipe: Annotated[str, typer.Argument(help="A bundled recipe's name, or a .toml file.")],
    data: Annotated[str, typer.Option(help="The folder of the data; with --queue also NAME@VERSION.")],
    out: Annotated[Path | None, typer.Option(help="The run's folder; the model goes to OUT/model.")] = None,
    set: Annotated[list[str] | None, typer.Option(help="key=value laid over the recipe.")] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", help="Begin with a trained model (a name, a folder) or another run's folder."),
    ] = None,
    queue: Annotated[bool, typer.Option("--queue", help="Train on the service, not here.")] = False,
    name: Annotated[str | None, typer.Option(help="With --queue: of the model that comes of it.")] = None,
    nodes: Annotated[int, typer.Option(help="With --queue: nodes that train together.")] = 1,
    min_nodes: Annotated[int | None, typer.Option(help="With --queue: go on with so few.")] = None,
    procs_per_node: Annotated[int, typer.Option(help="With --queue: processes, one a GPU.")] = 1,
    key: Annotated[str | None, typer.Option(help="With --queue: the same key queues one run.")] = None,
    json: Json = False,
) -> None:
    """Train, or go on where OUT's checkpoint stands. Ctrl-C stops after the step, with a checkpoint; a second
    one, at once. With --queue the service trains; reads PRODGEN_URL and PRODGEN_API_KEY."""
    if queue:
        if out:
            raise ProdgenError("--out is for training here; prodgen training watch RUN --out shows samples")
        from prodgen.cli.queue import queue_run
        from prodgen.training.recipes.recipe_files import load_recipe

        chosen = load_recipe(recipe, set or []).model_dump(mode="json")
        gang = {"nodes": nodes, "min_nodes": min_nodes, "procs_per_node": procs_per_node}
        queue_run(Client.train, {**gang, "recipe": chosen, "name": name, "from": source}, data, key, json)
    elif out is None:
        raise ProdgenError("where should the run go? name a folder with --out, or --queue the run")
    elif (name, nodes, min_nodes, procs_per_node, key) != (None, 1, None, 1, None):
        raise ProdgenError("--name, --nodes, --min-nodes, --procs-per-node and --key are for --queue")
    else:
        _train_here(recipe, set or [], Path(data), out, source, json)


def _train_here(
    recipe: str, settings: list[str], data: Path, out: Path, source: str | None, json: bool
) -> None:
    import torch

    from prodgen.catalog.formats import open_catalogue
    from prodgen.training.checkpoint import CHECKPOINT
    from prodgen.training.export import export
    from prodgen.training.methods.transfer import find_source
    from prodgen.training.recipes.recipe_files import load_recipe
    from prodgen.training.run import Run
    from prodgen.training.trainer import train_run
    from prodgen.training.watch.alarms import Alarm

    chosen = load_recipe(recipe, settings)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    quiet = json or not console.is_terminal
    with Progress(*columns, console=console, disable=quiet, transient=True) as progress:
        reading = progress.add_task("Reading the images", total=None)
        catalogue = open_catalogue(
            data,
            size=chosen.size,
            channels=chosen.channels,
            progress=lambda done, total: progress.update(reading, completed=done, total=total),
        )
    begins = find_source(source) if source and not (out / CHECKPOINT).exists() else None
    run = Run(chosen, catalogue, out, "cuda" if torch.cuda.is_available() else "cpu", begins)
    if run.resume():
        console.print(f"going on from step {run.step} of {out}", soft_wrap=True)
    elif begins:
        alone = run.head_start
        judge = f"; a new discriminator learns alone for {alone} steps" if alone else ""
        judge = " and its discriminator" if begins.discriminator else judge
        console.print(f"begun with {begins.model.ref}{judge}", soft_wrap=True)
    make_folder(out)
    stop, alarm = _stopper(), None
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task(chosen.name, total=chosen.steps, completed=run.step)

        def report(step: int, numbers: dict[str, float]) -> None:
            shown = "  ".join(f"{name} {value:.3f}" for name, value in numbers.items())
            progress.update(task, completed=step, description=f"step {step}  {shown}")
            if SHOWN[0] in numbers:
                console.print(f"step {step}  {shown}", soft_wrap=True)

        try:
            train_run(run, report, stop.is_set)
        except Alarm as error:
            alarm = error
    model = out / "model" if run.is_evaluated else None
    if model:
        export(run, model)
    what = f"the best so far is in {model}" if model else "no model yet, none was evaluated"
    if alarm:
        raise ProdgenError(f"{alarm}; {what}")
    if json:
        print_json({"step": run.step, "steps": chosen.steps, "model": str(model) if model else None})
    else:
        console.print(f"stopped at step {run.step} of {chosen.steps}; {what}", soft_wrap=True)


def _stopper() -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM; the second has its usual effect."""
    stop = threading.Event()

    def hear(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hear)
    return stop
