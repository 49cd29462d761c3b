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
from prodgen.errors import NotFound
from prodgen.settings import settings
from prodgen.streams import MAX_SEED

if TYPE_CHECKING:
    from prodgen.catalog.catalogue import Catalogue
    from prodgen.evaluation.figure import Figure
    from prodgen.model_config import ModelConfig


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
            help="Generated images; left out, as many as the training split has: 10,000 at most to compare, "
            "60,000 to teach a classifier.",
        ),
    ] = None,
    features: Annotated[
        str, typer.Option(help="domain: a classifier of this data. inception: Inception-v3, slow on a CPU.")
    ] = "domain",
    inception_weights: Annotated[
        Path | None, typer.Option(help="Inception's published weights as a file; fetched if left out.")
    ] = None,
    resize: Annotated[
        bool, typer.Option("--resize", help="Bring IDX and CIFAR images to the model's size and channels.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED)] = 0,
    json: Json = False,
) -> None:
    """Measure a model: metrics.json, card.md, samples.png, neighbours.png, interpolation.png …"""
    import torch

    from prodgen.evaluation import report
    from prodgen.evaluation.evaluate import Options, plan
    from prodgen.evaluation.evaluate import evaluate as measure
    from prodgen.evaluation.splits import Splits
    from prodgen.models import load_model
    from prodgen.models.saved import find_model

    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder, name = find_model(model)
    saved = load_model(folder, name, device)
    cache = settings().model_cache.expanduser() / "judges"
    options = Options(cache, count, features, inception_weights, seed, device, resize)
    console = Console(stderr=True, quiet=json)
    with console.status("Reading the data"):
        splits = Splits.matching(saved.config, *read_splits(data, saved.config, resize))
        planned = plan(saved, splits, options)
    out = out or Path("evaluation") / name
    make_folder(out)  # now that nothing is left to refuse
    with stages(console) as stage:
        evaluation = measure(planned, stage)
    earlier = folder / "card.md"
    report.write(evaluation, out, earlier.read_text("utf-8") if earlier.is_file() else "")
    if json:
        print_json(report.metrics(evaluation))
        return
    for table in summaries(evaluation.figures):
        Console().print(table)
    for reason in evaluation.left_out:
        console.print(f"left out: {reason}", soft_wrap=True)
    console.print(f"{saved.ref}: {out}/card.md")


def read_splits(data: Path, config: "ModelConfig", resize: bool) -> "list[Catalogue]":
    """The training and the test split. Photographs come at the model's size, as in training; images of data
    sets that have a size of their own keep it, unless they are to be resized.

    Raises NotFound if there is no test split.
    """
    from prodgen.catalog.open import kind, open_catalogue, splits
    from prodgen.evaluation.scene import SPLIT

    there = splits(data)
    if SPLIT not in there:
        raise NotFound(
            f"an evaluation needs a {SPLIT} split, of images that the model was not trained on; {data} has "
            f"only {', '.join(there)}",
            param="data",
        )
    fitted = resize or kind(data) not in ("idx", "cifar-10")
    size, channels = (config.size, config.channels) if fitted else (None, None)
    return [open_catalogue(data, split, size=size, channels=channels) for split in ("train", SPLIT)]


@contextmanager
def stages(console: Console) -> Iterator[Callable[[str], None]]:
    """A line for each stage that is announced, with the time that it took."""
    columns = (SpinnerColumn(finished_text="·"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:

        def finish() -> None:
            for task in progress.tasks:
                progress.update(task.id, completed=1)

        def stage(name: str) -> None:
            finish()
            progress.add_task(name, total=1)

        yield stage
        finish()


def summaries(figures: "dict[str, Figure]") -> list[Table]:
    """A table for each network that has judged: its figures beside the same of real images."""
    from prodgen.evaluation.card import number

    tables: dict[str, Table] = {}
    for figure in figures.values():
        if figure.features not in tables:
            columns = ("measure", "better", "generated", "real")
            tables[figure.features] = Table(*columns, title=figure.features, title_justify="left")
        shown = (number(figure.value), number(figure.real))
        tables[figure.features].add_row(figure.title, figure.better, *shown)
    return [*tables.values()]
