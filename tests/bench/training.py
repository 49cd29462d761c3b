"""What it costs to train as a service: the bare loop, torchrun with one and two processes, and a queued run.

``python -m tests.bench.training``

Every contender trains the same recipe on the same noise with one thread a process, and its pace is the median
of what its own metrics.jsonl says, but for the first looks. They run one after the other, the bare loop first
and last, so that a machine that changes its speed meanwhile is seen.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from prodgen.cli.options import Json, print_json
from prodgen.cli.queue import push_folder
from prodgen.runs.files import newest_checkpoint
from prodgen.storage import keys
from prodgen.training.recipe_files import load_recipe
from tests.servers.process import wait_until
from tests.servers.up import PRODGEN, Up
from tests.toys import write_catalogue

WARM = 2
"""Looks at the beginning that do not count."""
IMAGES = 6400
PATIENCE = 1800.0


def bare(folder: Path, data: Path, recipe: dict[str, Any]) -> Path:
    """``prodgen train`` -> the run's folder."""
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in recipe.items())
    (folder / "bench.toml").write_text(text)
    _run([PRODGEN, "train", "bench.toml", "--data", data, "--out", "bare"], folder)
    return folder / "bare"


def torchrun(folder: Path, data: Path, recipe: dict[str, Any], processes: int) -> Path:
    """The same in processes of torchrun."""
    out = folder / f"torchrun-{processes}"
    (folder / "recipe.json").write_text(json.dumps(recipe))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    options = ["--recipe", folder / "recipe.json", "--data", data, "--out", out]
    _run([*launch, "-m", "prodgen.training.node", *options], folder)
    return out


def _run(command: list[object], folder: Path) -> None:
    with (folder / "log.txt").open("ab") as log:
        done = subprocess.run([str(word) for word in command], cwd=folder, stdout=log, stderr=log)
    if done.returncode:
        raise RuntimeError(f"{command[2:4]} failed; see {folder / 'log.txt'}")


@contextmanager
def service(folder: Path) -> Iterator[Up]:
    """A whole stack with one training worker, which has nothing else to do."""
    with Up(folder / "service", workers=1, training_workers=1) as stack:
        yield stack


def queued(stack: Up, data: Path, recipe: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The lines of a queued run's metrics, and the seconds from its order to its first step."""
    with stack.client() as client:
        ref = push_folder(client, data, quiet=True)
        begun = time.monotonic()
        run = client.train({"recipe": recipe, "data": ref})["id"]
        seconds = {}
        for event in client.watch_run(run):
            if event["step"] and "first step" not in seconds:
                seconds["first step"] = time.monotonic() - begun
        if (state := client.run(run)["state"]) != "succeeded":
            raise RuntimeError(f"the queued run {state}: {client.logs(run)[-2000:]}")
    found = newest_checkpoint(stack.store, "default", run)
    assert found
    lines = stack.store.get(keys.run("default", run, "files", found.files["metrics.jsonl"]))
    return [json.loads(line) for line in lines.splitlines()], seconds


def killed(stack: Up, data: Path, recipe: dict[str, Any]) -> float:
    """Seconds from ``kill -9`` of torchrun to the first step beyond the last checkpoint."""
    with stack.client() as client:
        ref = push_folder(client, data, quiet=True)
        run = client.train({"recipe": {**recipe, "steps": 100_000, "checkpoint_every": 20}, "data": ref})[
            "id"
        ]
        wait_until(lambda: client.run(run)["step"] > 40, "the run does not begin", PATIENCE)
        [agent] = stack.running("torch.distributed.run")
        before = client.run(run)
        agent.kill()
        begun = time.monotonic()

        def steps() -> bool:
            now = client.run(run)
            return bool(now["restarts"] > before["restarts"] and now["progress"].get("images_per_second"))

        wait_until(steps, "the run is not taken up", PATIENCE)
        seconds = time.monotonic() - begun
        client.wish(run, "cancel")
        wait_until(lambda: client.run(run)["state"] == "cancelled", "it is not cancelled", PATIENCE)
    return seconds


def pace(lines: list[dict[str, Any]]) -> float:
    """Samples a second once it is warm."""
    rates = [line["images_per_second"] for line in lines if "images_per_second" in line]
    return median(rates[WARM:])


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def checkpoint_share(folder: Path, data: Path, recipe: dict[str, Any], rate: float) -> float:
    """The share of the time of a run at ``rate`` that goes into writing its checkpoints."""
    from prodgen.catalog.open import open_catalogue
    from prodgen.training.recipe_files import make_recipe
    from prodgen.training.run import Run

    run = Run(make_recipe(recipe, "bench"), open_catalogue(data), folder / "checkpoints", "cpu")
    run.advance()
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        run.save()
        taken.append(time.perf_counter() - begun)
    between = recipe["checkpoint_every"] * recipe["batch"] / rate
    return median(taken) / (between + median(taken))


def main(
    recipe: Annotated[str, typer.Option(help="A recipe for 28x28 grey images.")] = "fashion-mnist",
    steps: Annotated[int, typer.Option(min=300)] = 400,
    as_json: Json = False,
) -> None:
    """Compare them, and print one table."""
    os.environ["OMP_NUM_THREADS"] = "1"
    plain = load_recipe(recipe, [f"steps={steps}", "decay=0.0"]).model_dump(mode="json", exclude_none=True)
    timed = {**plain, "sample_every": steps, "evaluate_every": steps}
    with tempfile.TemporaryDirectory(prefix="prodgen-bench-") as name:
        folder = Path(name)
        data = write_catalogue(folder / "noise", count=IMAGES, size=28)
        paces = {"bare": pace(read(bare(folder, data, timed)))}
        for processes in (1, 2):
            paces[f"torchrun {processes}"] = pace(read(torchrun(folder, data, timed, processes)))
        with service(folder) as stack:
            lines, seconds = queued(stack, data, timed)
            paces["queued"] = pace(lines)
            seconds["kill to step"] = killed(stack, data, timed)
        (folder / "bare").rename(folder / "bare-1")
        paces["bare again"] = pace(read(bare(folder, data, timed)))
        share = checkpoint_share(folder, data, timed, paces["bare"])
    result = {"samples_per_second": paces, "checkpoint_share": share, "seconds": seconds, "recipe": recipe}
    print_json(result) if as_json else _show(result)


def _show(result: dict[str, Any]) -> None:
    paces = result["samples_per_second"]
    table = Table("what", "samples/s", "ratio", "of")
    for name, of in (
        ("bare", "bare"),
        ("torchrun 1", "bare"),
        ("torchrun 2", "torchrun 1"),
        ("queued", "torchrun 1"),
        ("bare again", "bare"),
    ):
        table.add_row(name, f"{paces[name]:.0f}", f"{paces[name] / paces[of]:.2f}", of)
    console = Console()
    console.print(table)
    console.print(f"checkpoints take {result['checkpoint_share']:.2%} of the time")
    for name, value in result["seconds"].items():
        console.print(f"{name}: {value:.0f} s")


if __name__ == "__main__":
    typer.run(main)
