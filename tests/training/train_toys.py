"""Trains toys one after the other, under torchrun or alone: ``-m tests.training.train_toys CASES DATA OUT``.

CASES is a JSON file: for each folder in OUT, changes to the small recipe, and ``until``, a step to stop at.
All numbers are float64, where the order of a sum makes no difference that training could amplify: a larger
difference comes from another calculation.
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
from prodgen.training.trainer import Trainer
from prodgen.training.watch import review
from prodgen.training.watch.judge import CLASSIFIER
from tests.training.conftest import SMALL, quiet


def use_float64() -> None:
    """Make float64 of every float."""
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double


def train(case: dict[str, Any], data: Path, folder: Path) -> None:
    """Train to the last step or ``until``, from a checkpoint if there is one."""
    changes = {**SMALL, **case, "precision": "fp32"}
    until = changes.pop("until", None)
    trainer = Trainer(make_recipe(changes, "test"), load_idx(data), folder, "cpu")
    trainer.state.batches._conditions = trainer.state.batches._conditions.double()
    trainer.resume()
    trainer.train(quiet, lambda: trainer.state.step == until)


if __name__ == "__main__":
    use_float64()
    loop.LOG_EVERY, review.EVALUATION_IMAGES, review.BATCH_NORM_IMAGES = 1, 64, 64
    review.write_grid = lambda *_: None  # its latents are always float32
    cases, data, out = map(Path, sys.argv[1:])
    world.join()
    for name, case in json.loads(cases.read_text()).items():
        if (out / CLASSIFIER).exists() and world.rank() == 0:
            (out / name).mkdir(exist_ok=True)
            shutil.copy(out / CLASSIFIER, out / name)  # the same data would train the same judge
        train(case, data, out / name)
        if world.rank() == 0:
            shutil.copy(out / name / CLASSIFIER, out)
    world.leave()
