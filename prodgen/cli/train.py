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


def train(
    recipe: Annotated[str, typer.Argument(help="A bundled recipe's name, or a .toml file.")],
    data: Annotated[Path, typer.Option(help="The folder of the training data.")],
    out: Annotated[Path, typer.Option(help="The run's folder; the model goes to OUT/model.")],
    set: Annotated[list[str] | None, typer.Option(help="key=value laid over the recipe.")] = None,
    json: Json = False,
) -> None:
    """Train, or go on where OUT's checkpoint stands. Ctrl-C stops after the step, with a checkpoint."""
    import torch

    from prodgen.catalog.idx import load_idx
    from prodgen.training.export import export
    from prodgen.training.recipe import load_recipe
    from prodgen.training.run import Run

    chosen = load_recipe(recipe, set or [])
    catalogue = load_idx(data, chosen.classes)
    make_folder(out)
    run = Run(chosen, catalogue, out, "cuda" if torch.cuda.is_available() else "cpu")
    resumed = run.resume()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    console = Console(stderr=True)
    if resumed:
        console.print(f"going on from step {run.step} of {out}")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=json) as progress:
        task = progress.add_task(chosen.name, total=chosen.steps, completed=run.step)

        def report(step: int, numbers: dict[str, float]) -> None:
            shown = "  ".join(f"{name} {value:.3f}" for name, value in numbers.items())
            progress.update(task, completed=step, description=f"step {step}  {shown}")
            if "domain_fid" in numbers:
                console.print(f"step {step}  {shown}")

        run.train(report, stop.is_set)
    model = out / "model" if run.is_evaluated else None
    if model:
        export(run, model)
    if json:
        print_json({"step": run.step, "steps": chosen.steps, "model": str(model) if model else None})
    else:
        what = f"the best so far is in {model}" if model else "no model yet, none was evaluated"
        console.print(f"stopped at step {run.step} of {chosen.steps}; {what}")
