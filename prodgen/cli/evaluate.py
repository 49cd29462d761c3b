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
from prodgen.client import Client
from prodgen.errors import ProdgenError
from prodgen.settings import settings
from prodgen.spec.random_streams import MAX_SEED

if TYPE_CHECKING:
    from prodgen.evaluation.figure import Figure


def evaluate(
    model: Annotated[str, typer.Argument(help="A bundled name, a model folder, or a hub's owner/name.")],
    data: Annotated[
        str, typer.Option(help="The folder of the data, with its splits; with --queue also NAME@VERSION.")
    ],
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
    queue: Annotated[bool, typer.Option("--queue", help="Evaluate on the service, not here.")] = False,
    key: Annotated[str | None, typer.Option(help="With --queue: the same key queues one run.")] = None,
    json: Json = False,
) -> None:
    """Measure a model: metrics.json, card.md, samples.png, neighbours.png, interpolation.png …

    With --queue the service measures one of its own; prodgen training watch RUN --out FOLDER brings the same
    files. Reads PRODGEN_URL and PRODGEN_API_KEY.
    """
    if queue:
        if (out, features, inception_weights, seed) != (None, "domain", None, 0):
            raise ProdgenError(
                "--out, --features, --inception-weights and --seed are for evaluating here; "
                "prodgen training watch RUN --out brings what a queued evaluation found"
            )
        from prodgen.cli.queue import queue_run

        queue_run(Client.evaluate, {"model": model, "count": count, "resize": resize}, data, key, json)
        return
    if key:
        raise ProdgenError("--key is for --queue")
    import torch

    from prodgen.evaluation import report
    from prodgen.evaluation.evaluate import Options, plan_from
    from prodgen.evaluation.evaluate import evaluate as measure
    from prodgen.models import load_model
    from prodgen.models.saved import find_model

    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder, name = find_model(model)
    saved = load_model(folder, name, device)
    cache = settings().model_cache.expanduser() / "judges"
    options = Options(cache, count, features, inception_weights, seed, device, resize)
    console = Console(stderr=True, quiet=json)
    with console.status("Reading the data"):
        planned = plan_from(saved, Path(data), options)
    out = out or Path("evaluation") / name
    make_folder(out)  # now that nothing is left to refuse
    with stages(console) as stage:
        evaluation = measure(planned, stage)
    report.write(evaluation, out, folder / "card.md")
    if json:
        print_json(report.metrics(evaluation))
        return
    for table in summaries(evaluation.figures):
        Console().print(table)
    for reason in evaluation.left_out:
        console.print(f"left out: {reason}", soft_wrap=True)
    console.print(f"{saved.ref}: {out}/card.md")


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
