"""``prodgen train``: train a model from a recipe and data, on this machine or on the service."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from prodgen.cli.folders import check_folder, writing
from prodgen.cli.options import Json, Key
from prodgen.cli.output import remark, remark_reading, report
from prodgen.cli.progress import ProgressBars
from prodgen.client import Client
from prodgen.errors import ProdgenError

UPSCALER = "upscaler"
SHOWN = ("domain_fid", "agreement", "diversity")


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a bundled recipe, a .toml file, or upscaler.")],
    data: Annotated[str, typer.Option(help="Folder of data; with --queue also NAME or NAME@VERSION.")],
    out: Annotated[Path | None, typer.Option(help="Folder to train in; the model goes to OUT/model.")] = None,
    set: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Key of the recipe to change, repeatable.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="Model, or OUT of another training, to begin with.")
    ] = None,
    queue: Annotated[bool, typer.Option("--queue", help="Train on the service instead of here.")] = False,
    name: Annotated[
        str | None, typer.Option(help="With --queue: name of the model (default: the recipe's).")
    ] = None,
    nodes: Annotated[int, typer.Option(help="With --queue: nodes that train together.")] = 1,
    min_nodes: Annotated[
        int | None, typer.Option(help="With --queue: fewest nodes to continue with (default: NODES).")
    ] = None,
    procs_per_node: Annotated[int, typer.Option(help="With --queue: processes of a node, one a GPU.")] = 1,
    key: Key = None,
    json: Json = False,
) -> None:
    """Train a model, or continue from the checkpoint in OUT.

    Ctrl-C stops after the current step and writes a checkpoint; a second Ctrl-C stops at once. With --queue
    the service trains (PRODGEN_URL, PRODGEN_API_KEY). The recipe `upscaler` trains the network behind
    `--upscale` on the cut-outs of `prodgen data prepare --size 256`; PRODGEN_UPSCALER names its file.
    """
    if recipe == UPSCALER:
        if queue or out is None:
            raise ProdgenError("the upscaler is trained here: name a folder with --out, without --queue")
        _train_upscaler(set or [], Path(data), out, source, json)
    elif queue:
        if out:
            raise ProdgenError("--out is for training here; prodgen training watch RUN --out shows samples")
        from prodgen.cli.gateway import queue_run
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
    from prodgen.training.methods.setup import find_pretrained
    from prodgen.training.recipes.checks import added_blocks
    from prodgen.training.recipes.recipe_files import load_recipe
    from prodgen.training.trainer import Trainer
    from prodgen.training.watch.alarms import Alarm
    from prodgen.training.watch.judge import CLASSIFIER
    from prodgen.training.watch.metrics import RATE

    chosen = load_recipe(recipe, settings)
    check_folder(out)
    with ProgressBars(json) as bars:
        catalogue = open_catalogue(
            data,
            size=chosen.size,
            channels=chosen.channels,
            progress=lambda done, total: bars.report("Reading the images", done, total),
        )
    remark_reading(data)
    pretrained = find_pretrained(source) if source and not (out / CHECKPOINT).exists() else None
    if pretrained and added_blocks(pretrained.model.config, chosen, catalogue.images.shape[1]):
        remark("the new blocks learn to enlarge what the smaller model draws")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trainer = Trainer(chosen, catalogue, out, device, pretrained)
    state = trainer.state
    if trainer.resume():
        remark(f"going on from step {state.step} of {out}")
    elif pretrained:
        alone = state.head_start
        discriminator = f"; a new discriminator learns alone for {alone} steps" if alone else ""
        discriminator = " and its discriminator" if pretrained.discriminator else discriminator
        remark(f"begun with {pretrained.model.id}{discriminator}")
    if not (out / CLASSIFIER).exists():
        remark("before the first step, a classifier learns from the images; it will judge the generator")
    stop, alarm = _stop_event(), None
    with writing(out), ProgressBars(json) as bars:

        def show(step: int, numbers: dict[str, float]) -> None:
            rate = f"images/s {numbers[RATE]:.0f}" if RATE in numbers else ""
            losses = (f"{name} {value:.3f}" for name, value in numbers.items() if name != RATE)
            shown = "  ".join(filter(None, [*losses, rate]))
            bars.report(chosen.name, step, chosen.steps, shown)
            if SHOWN[0] in numbers:
                remark(f"step {step}  {shown}")

        bars.report(chosen.name, state.step, chosen.steps)
        try:
            trainer.train(show, stop.is_set)
        except Alarm as error:
            alarm = error
        model = out / "model" if trainer.is_evaluated else None
        if model:
            export(trainer, model)
    what = f"the best so far is in {model}" if model else "no model yet, none was evaluated"
    if alarm:
        raise ProdgenError(f"{alarm}; {what}")
    ended = {"step": state.step, "steps": chosen.steps, "model": str(model) if model else None}
    report(json, ended, f"stopped at step {state.step} of {chosen.steps}; {what}")


def _train_upscaler(settings: list[str], data: Path, out: Path, source: str | None, json: bool) -> None:
    from prodgen.settings import settings as environment
    from prodgen.training.upscaler import read_upscaler_recipe, train_upscaler

    recipe = read_upscaler_recipe(settings)
    check_folder(out)
    weights, stop = environment().feature_weights, _stop_event()
    with writing(out), ProgressBars(json) as bars:

        def show(step: int, losses: dict[str, float]) -> None:
            shown = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
            bars.report(UPSCALER, step, recipe.steps, shown)

        step = train_upscaler(recipe, data, out, Path(source) if source else None, weights, show, stop.is_set)
    ended = {"step": step, "steps": recipe.steps, "model": str(out)}
    report(json, ended, f"stopped at step {step} of {recipe.steps}; the upscaler is {out}/model.safetensors")


def _stop_event() -> threading.Event:
    """Return an event that the first Ctrl-C or SIGTERM sets. A second signal ends the process at once."""
    stop = threading.Event()

    def handle(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    return stop
