"""Toy runs, one after the other, in the world that torchrun says: ``-m tests.training.runs CASES DATA OUT``.

CASES is a JSON file of what each run's recipe changes, by the name of its folder in OUT, with ``until``, a
step to stop at. All is reckoned in float64, in which other orders of summation leave nothing that training
could enlarge: what differs then is another calculation.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from prodgen.catalog.idx import load_idx
from prodgen.training import trainer as loop
from prodgen.training.distributed import world
from prodgen.training.recipes.recipe_files import make_recipe
from prodgen.training.run import Run
from prodgen.training.trainer import train_run
from prodgen.training.watch import review
from prodgen.training.watch.judge import CLASSIFIER
from tests.training.conftest import SMALL, quiet


def reckon_in_double() -> None:
    """Make of every float one of 64 bits."""
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double


def train(case: dict[str, Any], data: Path, folder: Path) -> None:
    """To the recipe's end or ``until``, resumed if it can be."""
    changes = {**SMALL, **case, "precision": "fp32"}
    until = changes.pop("until", None)
    run = Run(make_recipe(changes, "test"), load_idx(data), folder, "cpu")
    run.batches._conditions = run.batches._conditions.double()
    run.resume()
    train_run(run, quiet, lambda: run.step == until)


if __name__ == "__main__":
    reckon_in_double()
    loop.EVALUATED, loop.LOOK_EVERY = 64, 1
    review.SAMPLED, review.write_grid = 64, lambda *_: None  # whose latents are fp32, whatever is reckoned in
    cases, data, out = map(Path, sys.argv[1:])
    world.join()
    for name, case in json.loads(cases.read_text()).items():
        if (out / CLASSIFIER).exists() and world.rank() == 0:
            (out / name).mkdir(exist_ok=True)
            shutil.copy(out / CLASSIFIER, out / name)  # of the same data, it would be the same
        train(case, data, out / name)
        if world.rank() == 0:
            shutil.copy(out / name / CLASSIFIER, out)
    world.leave()
