"""``prodgen evaluate``: measure the quality of a model against its data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from prodgen.cli.folders import check_folder, writing
from prodgen.cli.options import Json, Key
from prodgen.cli.output import print_json, remark, remark_held_out, results, say
from prodgen.cli.progress import ProgressBars
from prodgen.client import Client
from prodgen.errors import ProdgenError
from prodgen.settings import settings
from prodgen.spec.random_streams import MAX_SEED

if TYPE_CHECKING:
    from prodgen.evaluation.context import Figure


def evaluate(
    model: Annotated[str, typer.Argument(help="Bundled model, model folder, or OWNER/NAME of a hub.")],
    data: Annotated[
        str, typer.Option(help="Folder of data with its splits; with --queue also NAME or NAME@VERSION.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for card, figures and pictures (default: evaluation/NAME).")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Generated images (default: as many as the training split has; at most 10,000 to compare, "
            "60,000 to train a classifier).",
        ),
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            help="domain: a classifier of this data. alexnet, vgg: trained on ImageNet, seen by no training. "
            "inception: Inception-v3, slow on a CPU."
        ),
    ] = "domain",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the weights of alexnet or vgg (default: PRODGEN_FEATURE_WEIGHTS, or the "
            "package stlpips-pytorch)."
        ),
    ] = None,
    inception_weights: Annotated[
        Path | None, typer.Option(help="File of Inception's published weights (default: download it).")
    ] = None,
    resize: Annotated[
        bool, typer.Option("--resize", help="Bring IDX and CIFAR images to the model's size and channels.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, metavar="SEED", help="Seed of the images.")] = 0,
    queue: Annotated[bool, typer.Option("--queue", help="Evaluate on the service instead of here.")] = False,
    key: Key = None,
    json: Json = False,
) -> None:
    """Measure a model and write metrics.json, card.md and pictures.

    With --queue the service measures one of its models (PRODGEN_URL, PRODGEN_API_KEY);
    `prodgen training watch RUN --out FOLDER` downloads the same files.
    """
    if queue:
        if (out, features, weights, inception_weights, seed) != (None, "domain", None, None, 0):
            raise ProdgenError(
                "--out, --features, --weights, --inception-weights and --seed are for evaluating here; "
                "prodgen training watch RUN --out brings what a queued evaluation found"
            )
        from prodgen.cli.gateway import queue_run

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
    out = out or Path("evaluation") / name
    check_folder(out)
    cache = settings().model_cache.expanduser() / "judges"
    trunk_weights = weights or settings().feature_weights
    options = Options(cache, count, features, inception_weights, trunk_weights, seed, device, resize)
    with ProgressBars(json) as bars:
        planned = plan_from(saved, Path(data), options, bars.report)
        remark_held_out(Path(data))
        with writing(out):
            evaluation = measure(planned, bars.report)
            report.write(evaluation, out, folder / "card.md")
    if json:
        print_json(report.metrics(evaluation))
        return
    for table in summaries(evaluation.figures):
        results.print(table)
    for reason in evaluation.left_out:
        remark(f"left out: {reason}")
    say(f"{saved.id}: {out}/card.md")


def summaries(figures: "dict[str, Figure]") -> list[Table]:
    """Return a table for each feature network, with each figure for generated images and for real images."""
    from prodgen.evaluation.report import number

    tables: dict[str, Table] = {}
    for figure in figures.values():
        if figure.features not in tables:
            columns = ("measure", "better", "generated", "real")
            tables[figure.features] = Table(*columns, title=figure.features, title_justify="left")
        shown = (number(figure.value), number(figure.real))
        tables[figure.features].add_row(figure.title, figure.better, *shown)
    return [*tables.values()]
