"""``prodgen evaluate``: how good a model is, measured against the data that it was trained on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from prodgen.cli.generate import make_folder
from prodgen.cli.options import Json, print_json
from prodgen.settings import settings
from prodgen.streams import MAX_SEED

if TYPE_CHECKING:
    from prodgen.evaluation.figure import Figure


def evaluate(
    model: Annotated[str, typer.Argument(help="A bundled name, a model folder, or a hub's owner/name.")],
    data: Annotated[Path, typer.Option(help="The folder of the data, with its training and test split.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The folder for card, figures and pictures; evaluation/NAME if left out."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Generated images; left out, 10,000 to compare, and to teach a classifier as many as the "
            "training split has (60,000 at most).",
        ),
    ] = None,
    features: Annotated[
        str, typer.Option(help="domain: a classifier of this data. inception: Inception-v3, slow on a CPU.")
    ] = "domain",
    inception_weights: Annotated[
        Path | None, typer.Option(help="Inception's published weights as a file; fetched if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED)] = 0,
    json: Json = False,
) -> None:
    """Measure a model: metrics.json, card.md, samples.png, neighbours.png, interpolation.png …"""
    import torch

    from prodgen.catalog.open import open_catalogue
    from prodgen.evaluation import report
    from prodgen.evaluation.evaluate import Options
    from prodgen.evaluation.evaluate import evaluate as measure
    from prodgen.evaluation.scene import SPLIT
    from prodgen.evaluation.splits import Splits
    from prodgen.models import load_model
    from prodgen.models.saved import find_model

    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder, name = find_model(model)
    saved = load_model(folder, name, device)
    train, test = (
        open_catalogue(data, split, size=saved.config.size, channels=saved.config.channels)
        for split in ("train", SPLIT)
    )
    splits = Splits.matching(saved.config, train, test)
    out = out or Path("evaluation") / name
    make_folder(out)
    cache = settings().model_cache.expanduser() / "judges"
    options = Options(cache, count, features, inception_weights, seed, device)
    console = Console(stderr=True)
    with stages(console, quiet=json) as stage:
        evaluation = measure(saved, splits, options, stage)
    earlier = folder / "card.md"
    report.write(evaluation, out, earlier.read_text("utf-8") if earlier.is_file() else "")
    if json:
        print_json(report.metrics(evaluation))
    else:
        Console().print(summary(evaluation.figures))
        console.print(f"{saved.ref}: {out}/card.md")


@contextmanager
def stages(console: Console, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A line for each stage that is announced, with the time that it took."""
    columns = (SpinnerColumn(finished_text="·"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet) as progress:

        def finish() -> None:
            for task in progress.tasks:
                progress.update(task.id, completed=1)

        def stage(name: str) -> None:
            finish()
            progress.add_task(name, total=1)

        yield stage
        finish()


def summary(figures: "dict[str, Figure]") -> Table:
    """Each figure beside the same of real images."""
    from prodgen.evaluation.card import number

    table = Table("measure", "better", "generated", "real", "judged by")
    for figure in figures.values():
        shown = (number(figure.value), number(figure.real))
        table.add_row(figure.title, figure.better, *shown, figure.features)
    return table
