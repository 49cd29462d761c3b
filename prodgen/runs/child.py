"""What the processes have in common that a node starts for a run and that make no checkpoints."""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from prodgen.errors import Interrupted, ProdgenError
from prodgen.orphans import die_with_parent, live_on
from prodgen.runs.files import PARTIAL
from prodgen.training.watch.progress import RESULT, write_json


def show(path: Path, out: Path, name: str) -> None:
    """Let a file be seen among the run's samples, whole at any moment."""
    samples = out / "samples"
    samples.mkdir(exist_ok=True)
    partial = samples / (name + PARTIAL)
    shutil.copyfile(path, partial)
    partial.replace(samples / name)


def carry_out(parser: argparse.ArgumentParser, work: Callable[[argparse.Namespace], int]) -> None:
    """Do ``work(options)`` -> the step it reached, while the lease lasts, and leave result.json.

    What raises ProdgenError is refused; whatever else goes wrong ends the process without a result.
    """
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data set")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder on this node")
    parser.add_argument("--lease", type=Path, required=True, help="says until when this process may live")
    options = parser.parse_args()
    die_with_parent()
    live_on(options.lease)
    outcome, message, step = "refused", None, 0
    try:
        step, outcome = work(options), "finished"
    except Interrupted:
        raise
    except ProdgenError as error:
        message = str(error)
    write_json(options.out / RESULT, {"outcome": outcome, "step": step, "message": message})
