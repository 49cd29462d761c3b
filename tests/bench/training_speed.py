"""Compares the speed of the resnet recipe with the same networks in plain PyTorch, and with torch-mimicry.

``python -m tests.bench.training_speed``

Each trains every network once a batch. They take turns in rounds, so that a machine that slows down slows all
of them. The images are noise, because their content does not affect speed.
"""

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from prodgen.catalog.catalogue import Catalogue
from prodgen.cli.options import Json
from prodgen.cli.output import print_json
from prodgen.training.batches import Batches
from prodgen.training.recipes.recipe_files import load_recipe
from prodgen.training.state import TrainingState
from tests.bench.environments import MIMICRY, PEERS, Unavailable, prepare
from tests.bench.plain import PlainGan

RECIPE = "fashion-mnist"
SIDE, CLASSES, IMAGES = 28, 10, 6400

Rate = Callable[[float], float]
"""Seconds to train for -> samples a second."""


def noise() -> Catalogue:
    """Return a catalogue of random images in the recipe's shape."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (IMAGES, SIDE, SIDE, 1), np.uint8)
    labels = np.arange(IMAGES) % CLASSES
    return Catalogue(images, {"category": labels}, {"category": tuple("abcdefghij")})


def timed(step: Callable[[], object], samples: int, device: str) -> Rate:
    """Return the rate of a step that trains on ``samples`` images, after one step to warm up."""

    def rate(seconds: float) -> float:
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            step()
            if device == "cuda":
                torch.cuda.synchronize()
            steps += 1
        return steps * samples / (time.perf_counter() - start)

    rate(0.001)
    return rate


def own(precision: str, device: str) -> Rate:
    """Return the rate of the recipe as `prodgen train` trains it: batches, networks, moving average."""
    recipe = load_recipe(RECIPE, [f"precision={precision}"])
    state = TrainingState(recipe, noise(), device)
    return timed(state.advance, recipe.batch, device)


def plain(device: str) -> Rate:
    """Return the rate of the same networks and batches in plain PyTorch."""
    recipe, catalogue = load_recipe(RECIPE, []), noise()
    gan = PlainGan(recipe, catalogue.schema(), SIDE, 1).to(device)
    batches = Batches(catalogue, recipe, device)

    def step() -> None:
        batch = batches[0]
        gan.step(batch.real.contiguous(), batch.condition)

    return timed(step, recipe.batch, device)


def mimicry(out: Path, threads: int, stack: ExitStack) -> Rate:
    """Return the rate of torch-mimicry's training step, in its own environment; raises Unavailable."""
    python = prepare(MIMICRY, out / "environments")
    log = stack.enter_context((out / "mimicry.log").open("w"))
    process = stack.enter_context(
        subprocess.Popen(
            [python, PEERS / "sngan_steps.py"],
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    )
    stack.callback(process.stdin.close)

    def rate(seconds: float) -> float:
        process.stdin.write(f"{seconds}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise Unavailable(f"its process ended; see {log.name}")
        return float(answer)

    rate(0.001)
    return rate


TITLES = {
    "bf16": "prodgen, recipe fashion-mnist, bf16 as in the recipe",
    "fp32": "prodgen, recipe fashion-mnist, fp32",
    "plain": "the same networks, plain eager PyTorch, NCHW, fp32",
    "mimicry": "torch-mimicry's SNGAN with projection, 96 channels, 32x32x3, fp32",
}


def main(
    out: Annotated[Path, typer.Option(help="Folder of torch-mimicry's environment.")] = Path("build/bench"),
    threads: Annotated[int, typer.Option(min=1)] = 1,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of each turn.")] = 5.0,
    json: Json = False,
) -> None:
    """Print samples a second of each, and how many times as fast this project is."""
    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    problem = None
    with ExitStack() as stack:
        measures = {precision: own(precision, device) for precision in ("bf16", "fp32")}
        measures["plain"] = plain(device)
        try:
            measures["mimicry"] = mimicry(out, threads, stack)
        except Unavailable as error:
            problem = str(error)
        turns = [{name: rate(seconds) for name, rate in measures.items()} for _ in range(rounds)]
    rates = {name: median(turn[name] for turn in turns) for name in measures}
    ratios = {
        f"{ours}/{theirs}": median(turn[ours] / turn[theirs] for turn in turns)
        for ours in ("bf16", "fp32")
        for theirs in rates
        if theirs not in ("bf16", "fp32")
    }
    batch = load_recipe(RECIPE, []).batch
    setup = {"torch": torch.__version__, "device": device, "threads": threads, "batch": batch}
    if json:
        print_json({**setup, "rates": rates, "ratios": ratios, "rounds": turns, "mimicry": problem})
        return
    table = Table(
        "what",
        "samples/s",
        "bf16 is … times as fast",
        "fp32 is …",
        title=", ".join(f"{key} {value}" for key, value in setup.items()),
    )
    for name, rate in rates.items():
        against = [f"{ratios[key]:.2f}" if (key := f"{p}/{name}") in ratios else "" for p in ("bf16", "fp32")]
        table.add_row(TITLES[name], f"{rate:,.0f}", *against)
    if problem:
        table.add_row(TITLES["mimicry"], problem)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
