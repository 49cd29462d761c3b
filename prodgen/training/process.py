"""One process of a run that torchrun starts on one node or many, each node with a folder of its own:

``python -m torch.distributed.run --nproc-per-node 2 -m prodgen.training.process --recipe recipe.json --data DATA
--out FOLDER``

FOLDER gets progress.json while it trains, and result.json and the model at the end. SIGTERM ends it after the
step, with a checkpoint; the same command goes on. A crash has another exit code than 0 and leaves no result.
"""

import argparse
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from prodgen.child_process import die_with_parent, exit_with_lease
from prodgen.errors import ProdgenError
from prodgen.training.recipes.recipe_files import read_recipe
from prodgen.training.watch.progress import RESULT, Progress, write_json

if TYPE_CHECKING:
    from prodgen.training.run import Run


def main() -> None:
    """Train, and say how it ended."""
    options = _options()
    die_with_parent()
    if options.lease:
        exit_with_lease(options.lease)
    stop = _stopper()

    from prodgen.training.distributed import world
    from prodgen.training.distributed.shared_catalogue import SHARED
    from prodgen.training.export import export
    from prodgen.training.watch.alarms import Alarm

    if world.writes():
        (options.out / RESULT).unlink(missing_ok=True)
    run: Run | None = None
    outcome, message = "refused", None
    try:
        run = _begin(options, world.join())
        outcome = "finished" if _train(run, stop.is_set, tells=world.writes()) else "stopped"
    except Alarm as alarm:
        outcome, message = "alarm", str(alarm)
    except ProdgenError as error:
        message = str(error)
    if world.writes():
        if run and run.is_evaluated and outcome != "refused":
            export(run, options.out / "model")
        step = run.step if run else 0
        shutil.rmtree(options.out / SHARED, ignore_errors=True)
        write_json(options.out / RESULT, {"outcome": outcome, "step": step, "message": message})
    world.leave()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="prodgen.training.process", description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True, help="the recipe, as JSON")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the training data")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder on this node")
    parser.add_argument("--lease", type=Path, help="a file that says until when this process may live")
    parser.add_argument("--from", dest="source", help="a model or the folder of a run to begin with")
    return parser.parse_args()


def _stopper() -> threading.Event:
    """Set by SIGTERM and SIGINT, however often they come: torchrun passes on what its group hears as well."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _begin(options: argparse.Namespace, device: str) -> "Run":
    """The run on this process; raises ProdgenError on all if it cannot begin on one."""
    from prodgen.catalog.catalogue import digest
    from prodgen.catalog.formats import open_catalogue
    from prodgen.training.checkpoint import CHECKPOINT
    from prodgen.training.distributed.exchange import first, together
    from prodgen.training.distributed.shared_catalogue import read_once
    from prodgen.training.methods.transfer import find_source
    from prodgen.training.run import Run

    recipe = together(lambda: read_recipe(options.recipe))
    catalogue = read_once(
        lambda: open_catalogue(options.data, size=recipe.size, channels=recipe.channels), options.out
    )
    own = [digest(catalogue), recipe.model_dump(mode="json")]
    others = first(lambda: own)
    together(lambda: _compare(own, others))
    goes_on = first((options.out / CHECKPOINT).exists)
    source = None
    if options.source and not goes_on:
        source = together(lambda: find_source(options.source))
    run = together(lambda: Run(recipe, catalogue, options.out, device, source))
    run.resume()
    return run


def _compare(own: list[object], others: list[object]) -> None:
    for what, here, there in zip(("images", "recipe"), own, others, strict=True):
        if here != there:
            raise ProdgenError(f"the {what} on this node differ from the first node's")


def _train(run: "Run", stopping: Callable[[], bool], *, tells: bool) -> bool:
    """Whether it came to its end."""
    from prodgen.training.distributed.world import size
    from prodgen.training.trainer import train_run

    if tells:
        print(f"{run.recipe.name} from step {run.step}; processes: {size()}", flush=True)
    train_run(run, Progress(run) if tells else lambda *_: None, stopping)
    return run.step == run.recipe.steps


if __name__ == "__main__":
    main()
