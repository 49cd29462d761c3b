"""``prodgen train``: a model from a recipe and a catalogue, on this machine."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from prodgen.cli.generate import make_folder
from prodgen.cli.options import Json, print_json
from prodgen.errors import ProdgenError

if TYPE_CHECKING:
    from prodgen.training.run import Run

SHOWN = ("domain_fid", "agreement", "diversity")


def train(
    recipe: Annotated[str, typer.Argument(help="A bundled recipe's name, or a .toml file.")],
    data: Annotated[Path, typer.Option(help="The folder of the training data.")],
    out: Annotated[Path, typer.Option(help="The run's folder; the model goes to OUT/model.")],
    set: Annotated[list[str] | None, typer.Option(help="key=value laid over the recipe.")] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", help="Begin with a trained model (a name, a folder)."),
    ] = None,
    json: Json = False,
) -> None:
    """Train, or go on where OUT's checkpoint stands. Ctrl-C stops after the step, with a checkpoint."""
    import torch

    from prodgen.catalog.open import open_catalogue
    from prodgen.training.alarms import Collapsed
    from prodgen.training.export import export
    from prodgen.training.recipe_files import load_recipe
    from prodgen.training.run import Run

    chosen = load_recipe(recipe, set or [])
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
    make_folder(out)
    run = Run(chosen, catalogue, out, "cuda" if torch.cuda.is_available() else "cpu")
    if run.resume():
        console.print(f"going on from step {run.step} of {out}")
    elif source:
        _begin_with(run, source, console)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    collapse = None
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task(chosen.name, total=chosen.steps, completed=run.step)

        def report(step: int, numbers: dict[str, float]) -> None:
            shown = "  ".join(f"{name} {value:.3f}" for name, value in numbers.items())
            progress.update(task, completed=step, description=f"step {step}  {shown}")
            if SHOWN[0] in numbers:
                console.print(f"step {step}  {shown}", soft_wrap=True)

        try:
            run.train(report, stop.is_set)
        except Collapsed as error:
            collapse = error
    model = out / "model" if run.is_evaluated else None
    if model:
        export(run, model)
    if collapse:
        raise ProdgenError(f"{collapse}; the best so far is in {model}")
    if json:
        print_json({"step": run.step, "steps": chosen.steps, "model": str(model) if model else None})
    else:
        what = f"the best so far is in {model}" if model else "no model yet, none was evaluated"
        console.print(f"stopped at step {run.step} of {chosen.steps}; {what}")


def _begin_with(run: "Run", ref: str, console: Console) -> None:
    """Take over a trained generator; raises ProdgenError if it is of another family."""
    from prodgen.models import load_model
    from prodgen.training.setup import adopt

    given = load_model(ref, device=run.device)
    if given.config.family != run.recipe.family:
        raise ProdgenError(
            f"{ref} is of family {given.config.family}, the recipe of {run.recipe.family}",
            param="--from",
        )
    for generator in (run.method.generator, run.ema.model):
        anew = adopt(generator, given.generator)
    console.print(f"begun with {given.ref}; {len(anew)} of its parts do not fit and begin anew")
