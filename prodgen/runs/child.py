"""The common part of the preparation and evaluation processes, which write no checkpoints."""

import argparse
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from prodgen import logs
from prodgen.child_process import die_with_parent, exit_with_lease
from prodgen.errors import Interrupted, ProdgenError
from prodgen.files import replacing
from prodgen.training.watch.metrics import RESULT, write_json

log = logging.getLogger("prodgen.training")


def add_sample(path: Path, out: Path, name: str) -> None:
    """Copy the file ``path`` to the samples in the run's folder ``out``, as ``name``.

    The copy gets its name only when it is complete.
    """
    with replacing(out / "samples" / name) as partial:
        shutil.copyfile(path, partial)


def execute(parser: argparse.ArgumentParser, work: Callable[[argparse.Namespace], int]) -> None:
    """Parse the options, call ``work(options)``, and write result.json with the step that ``work`` returns.

    After a ProdgenError the outcome in result.json is "refused". After any other error, or when the lease
    ends, there is no result.json.
    """
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data set")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder on this node")
    parser.add_argument("--lease", type=Path, required=True, help="a file: until when this process may live")
    options = parser.parse_args()
    logs.configure(parser.prog.rpartition(".")[2])
    die_with_parent()
    exit_with_lease(options.lease)
    outcome, message, step = "refused", None, 0
    try:
        step, outcome = work(options), "finished"
    except Interrupted:
        raise
    except ProdgenError as error:
        message = str(error)
    write_json(options.out / RESULT, {"outcome": outcome, "step": step, "message": message})
