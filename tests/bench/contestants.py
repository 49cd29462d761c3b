"""Who takes part: public peers and this project's families, each from training images to generated ones."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.evaluation.samples import generate_like
from prodgen.models import SavedModel, load_model
from prodgen.models.saved import FAMILIES
from prodgen.training.export import export
from prodgen.training.recipes.recipe_files import load_recipe
from prodgen.training.trainer import Trainer
from prodgen.training.watch.alarms import Alarm
from tests.bench.environments import MIMICRY, PEERS, PYTHAE, Environment, Unavailable, prepare, run

COUNT = 10_000
"""Generated images that are judged."""


@dataclass(frozen=True)
class Drawn:
    """``images``: (N, H, W, C) bytes. ``labels``: (N,), what was asked for, of a model that can be asked.

    ``samples``: real images seen in training, ``seconds`` and ``threads`` of it; None where nobody knows.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    samples: int | None
    seconds: float | None
    threads: int | None


@dataclass(frozen=True)
class Task:
    """What all are given. ``out``: the bench's folder; each trains in one of its own there."""

    train: Catalogue
    samples: int
    threads: int
    out: Path
    device: str

    @property
    def attribute(self) -> str:
        """The one that stands for the classes."""
        return next(iter(self.train.classifiable))

    @cached_property
    def data(self) -> str:
        """Which images they are."""
        return digest(self.train)

    def images_file(self) -> Path:
        """The training images and labels for a peer, as .npz."""
        path = self.out / f"train-{self.data}.npz"
        if not path.exists():
            np.savez(path, images=self.train.images, labels=self.train.labels[self.attribute])
        return path


Contestant = Callable[[Task, Path], Drawn]
"""Trains, or goes on, in the folder, and draws `COUNT` images; raises Unavailable."""


def peer(environment: Environment, script: str, *arguments: str) -> Contestant:
    """A script of tests/bench/peers, run in its own environment."""

    def take_part(task: Task, folder: Path) -> Drawn:
        made = folder / "generated.npz"
        if not made.exists():
            python = prepare(environment, task.out / "environments")
            counts = ["--samples", str(task.samples), "--count", str(COUNT)]
            unfinished = folder / "unfinished.npz"
            files = [str(task.images_file()), str(unfinished)]
            command = [str(python), str(PEERS / script), *arguments, *files, *counts]
            run(command, folder / "log.txt", os.environ | {"OMP_NUM_THREADS": str(task.threads)})
            unfinished.rename(made)
        data = np.load(made)
        labels = data.get("labels")
        return Drawn(data["images"], labels, task.samples, float(data["seconds"]), task.threads)

    return take_part


def family(recipe: str) -> Contestant:
    """This project's, by a recipe of the package."""

    def take_part(task: Task, folder: Path) -> Drawn:
        plain = load_recipe(recipe, [])
        a_step = plain.batch * getattr(plain, "discriminator_steps", 1)
        chosen = load_recipe(recipe, [f"steps={task.samples // a_step}"])
        trial = Trainer(chosen, task.train, folder, task.device)
        trial.resume()
        try:
            trial.train(lambda step, numbers: _say(recipe, step, numbers), lambda: False)
        except Alarm as error:
            raise Unavailable(str(error)) from None
        export(trial, folder / "model")
        drawn = of_model(load_model(folder / "model", device=task.device), task)
        return Drawn(drawn.images, drawn.labels, trial.state.images, seconds_of(trial), task.threads)

    return take_part


def of_model(model: SavedModel, task: Task) -> Drawn:
    """Images of a trained model, the labels in the order of the training split's values."""
    made = generate_like(model, task.train, COUNT, 0, task.device)
    theirs = task.train.values[task.attribute]
    place = np.array([theirs.index(value) for value in made.values[task.attribute]])
    return Drawn(made.images, place[made.labels[task.attribute]], None, None, None)


def seconds_of(trial: Trainer) -> float:
    """Seconds of training, evaluations but the last one included, however often it was stopped."""
    seen, seconds = 0, 0.0
    for line in trial.metrics.read():
        if "images_per_second" in line:
            seconds += (line["images"] - seen) / line["images_per_second"]
            seen = line["images"]
    return seconds


def _say(recipe: str, step: int, numbers: dict[str, float]) -> None:
    if "domain_fid" in numbers:
        print(f"{recipe} step {step}: FID {numbers['domain_fid']:.1f}", file=sys.stderr)


def real_images(task: Task) -> Drawn:
    """Of the training split, as if they had been generated."""
    rows = np.random.default_rng(0).permutation(len(task.train))[:COUNT]
    return Drawn(task.train.images[rows], task.train.labels[task.attribute][rows], None, None, None)


CONTESTANTS: dict[str, Contestant] = {
    "pythae-vae": peer(PYTHAE, "autoencoders.py", "vae"),
    "pythae-vaegan": peer(PYTHAE, "autoencoders.py", "vaegan"),
    "mimicry-sngan": peer(MIMICRY, "sngan.py"),
    **{name: family("fashion-mnist" if name == "resnet" else f"fashion-mnist-{name}") for name in FAMILIES},
}
DEFAULT = ("pythae-vae", "pythae-vaegan", "mimicry-sngan", "vae", "vaegan", "resnet")
REFERENCE = "pythae-vae"
