"""One process of a training that torchrun starts on one or more nodes, each node with its own FOLDER:

``python -m torch.distributed.run --nproc-per-node 2 -m prodgen.training.process --recipe recipe.json
--data DATA --out FOLDER``

It keeps FOLDER/progress.json up to date, and writes the model and result.json at the end. SIGTERM stops it
after the current step, with a checkpoint, from which the same command continues. After a crash the exit code
is not 0, and there is no result.json.
"""

import argparse
import logging
import shutil
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from prodgen import logs
from prodgen.child_process import die_with_parent, exit_with_lease
from prodgen.errors import ProdgenError
from prodgen.training.recipes.recipe_files import read_recipe
from prodgen.training.watch.metrics import RESULT, Progress, write_json

if TYPE_CHECKING:
    from prodgen.training.trainer import Trainer

log = logging.getLogger("prodgen.training")


def main() -> None:
    """Train a model, export it, and write result.json."""
    options = _options()
    logs.configure("training")
    die_with_parent()
    if options.lease:
        exit_with_lease(options.lease)
    stop = _stop_event()

    from prodgen.training.distributed import shared_catalogue, world
    from prodgen.training.export import export
    from prodgen.training.watch.alarms import Alarm

    writes_files = world.local_rank() == 0
    if writes_files:
        (options.out / RESULT).unlink(missing_ok=True)
    trainer: Trainer | None = None
    outcome, message = "refused", None
    try:
        trainer = _prepare(options, world.join())
        state, report = trainer.state, lambda *_: None
        if writes_files:
            begin = (state.recipe.name, state.step, world.world_size())
            log.info("%s from step %d; processes: %d", *begin)
            report = Progress(state, options.out)
        trainer.train(report, stop.is_set)
        outcome = "finished" if state.step == state.recipe.steps else "stopped"
    except Alarm as alarm:
        outcome, message = "alarm", str(alarm)
    except ProdgenError as error:
        message = str(error)
    if writes_files:
        if trainer and trainer.is_evaluated and outcome != "refused":
            export(trainer, options.out / "model")
        step = trainer.state.step if trainer else 0
        shutil.rmtree(options.out / shared_catalogue.FOLDER, ignore_errors=True)
        write_json(options.out / RESULT, {"outcome": outcome, "step": step, "message": message})
    world.leave()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="prodgen.training.process", description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True, help="the recipe, as JSON")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the training data")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the training on this node")
    parser.add_argument("--lease", type=Path, help="a file: until when this process may live")
    parser.add_argument("--from", dest="source", help="a model or the folder of a training to start from")
    return parser.parse_args()


def _stop_event() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set. torchrun may send a signal more than once."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _prepare(options: argparse.Namespace, device: str) -> "Trainer":
    """Return the trainer of the recipe and the data, restored from the checkpoint if there is one.

    If one process raises ProdgenError, all processes do.
    """
    from prodgen.catalog.catalogue import digest
    from prodgen.catalog.formats import open_catalogue
    from prodgen.training.checkpoint import CHECKPOINT
    from prodgen.training.distributed.collectives import on_all_ranks, on_rank_zero
    from prodgen.training.distributed.shared_catalogue import read_shared
    from prodgen.training.methods.setup import find_pretrained
    from prodgen.training.trainer import Trainer

    recipe = on_all_ranks(lambda: read_recipe(options.recipe))
    catalogue = read_shared(
        lambda: open_catalogue(options.data, size=recipe.size, channels=recipe.channels), options.out
    )
    own = {"images": digest(catalogue), "recipe": recipe.model_dump(mode="json")}
    expected = on_rank_zero(lambda: own)
    on_all_ranks(lambda: _check_equal(own, expected))
    resumes = on_rank_zero((options.out / CHECKPOINT).exists)
    pretrained = None
    if options.source and not resumes:
        pretrained = on_all_ranks(lambda: find_pretrained(options.source))
    trainer = on_all_ranks(lambda: Trainer(recipe, catalogue, options.out, device, pretrained))
    trainer.resume()
    return trainer


def _check_equal(own: dict[str, object], expected: dict[str, object]) -> None:
    for name in own:
        if own[name] != expected[name]:
            raise ProdgenError(f"the {name} on this node differ from the first node's")


if __name__ == "__main__":
    main()
