"""What it costs to train as a service: the bare loop, torchrun with one and two processes, and a queued run.

``python -m tests.bench.training``, which takes about ten minutes on two free cores.

Every contender trains one recipe on the same noise, one thread a process, until it has told of its pace
`LOOKS` times, and is stopped before anything is evaluated. Its pace is the median of what its metrics.jsonl
says, but for the first look: images of all processes together. They run one after the other, the bare loop
first and last, so that a machine that changes its speed meanwhile is seen. Whether two processes are worth
two is asked of a wider network, each of them with as many images as one alone has.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from prodgen.catalog.formats import open_catalogue
from prodgen.cli.gateway import push_folder
from prodgen.cli.options import Json
from prodgen.cli.output import print_json
from prodgen.client import TERMINAL, Client
from prodgen.runs.files import load_record, newest_checkpoint, store_judge
from prodgen.storage import keys
from prodgen.training.recipes.recipe import Recipe
from prodgen.training.recipes.recipe_files import load_recipe
from prodgen.training.trainer import LOG_EVERY, Trainer
from tests.servers.process import wait_until
from tests.servers.up import PRODGEN, Up
from tests.toys import write_catalogue

WARM, LOOKS, WIDE_LOOKS = 1, 5, 3
"""Looks at the beginning that do not count, and all of them."""
IMAGES = 256
"""Few, as every run begins with its judge's training; how often each is seen is all one to the pace."""
RECIPE = "fashion-mnist"
LONG = ["precision=fp32", "decay=0.0"] + [
    f"{key}=1000000" for key in ("steps", "evaluate_every", "sample_every")
]
SETTINGS = ["widths=[48, 32, 16]", *LONG]
"""A fifth of a second a step, also where bf16 crawls. What a step costs beside its arithmetic weighs the more
in it, so that the ratios of wider networks are no worse."""
WIDE = ["widths=[96, 64, 32]", *LONG]
"""Still narrower than the recipe, whose steps take twice as long."""
PATIENCE = 600.0
PAUSE = 0.25
"""Seconds between two looks at a contender, which is not to feel them."""


def say(words: str) -> None:
    """To those who wait."""
    print(words, file=sys.stderr, flush=True)


def trained(command: list[object], out: Path, looks: int = LOOKS) -> str:
    """The metrics of the run in ``out``, which the command makes, once there are ``looks`` of them."""
    log, metrics = out.with_suffix(".log"), out / "metrics.jsonl"
    with log.open("wb") as file:
        process = subprocess.Popen([str(word) for word in command], stdout=file, stderr=file)

    def enough() -> bool:
        time.sleep(PAUSE)
        if process.poll() is not None:
            raise RuntimeError(f"{out.name} has ended: {log.read_text()[-2000:]}")
        return metrics.exists() and len(rates(metrics.read_text())) >= looks

    try:
        wait_until(enough, f"{out.name} is too slow", PATIENCE)
    finally:
        process.terminate()
        process.wait(PATIENCE)
    return metrics.read_text()


def queued(stack: Up, client: Client, ref: str, recipe: dict[str, Any], folder: Path) -> str:
    """The metrics of a queued run; the data's judge is from now on that of the run in ``folder``."""
    run = client.train({"recipe": recipe, "data": ref})["id"]
    store_judge(stack.store, load_record(stack.store, "default", run), folder)
    when(client, run, "looks often enough", lambda now: now["step"] >= LOOKS * LOG_EVERY)
    client.command(run, "cancel")
    when(client, run, "is cancelled", lambda now: now["state"] == "cancelled")
    found = newest_checkpoint(stack.store, "default", run)
    assert found
    return stack.store.get(keys.run("default", run, "files", found.files["metrics.jsonl"])).decode()


def killed(stack: Up, client: Client, ref: str, recipe: dict[str, Any]) -> dict[str, float]:
    """Seconds from the order of a run to its first step, and from ``kill -9`` of its torchrun to a new one.

    As the service tells of steps, two seconds late at most; the data and their judge are in its store.
    """

    def kept() -> int:
        found = newest_checkpoint(stack.store, "default", run)
        return found.step if found else 0

    begun = time.monotonic()
    run = client.train({"recipe": {**recipe, "checkpoint_every": 20}, "data": ref})["id"]
    when(client, run, "makes a step", lambda now: now["step"] > 0)
    to_first = time.monotonic() - begun
    before = when(client, run, "stores a checkpoint", lambda _: kept() > 0)
    [agent] = stack.running("torch.distributed.run")
    agent.kill()
    begun = time.monotonic()
    over = when(client, run, "is queued again", lambda now: now["restarts"] > before["restarts"])
    last = kept()

    def steps(now: dict[str, Any]) -> bool:  # what the attempt that is over told is still there
        return now["progress"] != over["progress"] and bool(now["progress"].get("images_per_second"))

    told = when(client, run, "makes a new step", steps)
    to_next = time.monotonic() - begun
    if told["step"] <= last:
        raise RuntimeError(f"step {told['step']} is not beyond the checkpoint of step {last}")
    client.command(run, "cancel")
    return {"order to first step": to_first, "kill to first new step": to_next}


def when(client: Client, run: str, what: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Where a queued run stands once the condition holds of it; it must not end before."""
    say(f"  until the run {what} …")
    seen: dict[str, Any] = {}

    def holds() -> bool:
        time.sleep(PAUSE)
        seen.update(client.run(run))
        if not condition(seen) and seen["state"] in TERMINAL:
            raise RuntimeError(f"the run {seen['state']}: {seen['error']}\n{client.logs(run)[-2000:]}")
        return condition(seen)

    wait_until(holds, f"no run that {what}", PATIENCE)
    return seen


def rates(metrics: str) -> list[float]:
    """Samples a second, at every look; a line that is being written is left out."""
    lines = [json.loads(line) for line in metrics.split("\n")[:-1]]
    return [line["images_per_second"] for line in lines if "images_per_second" in line]


def checkpoint_share(folder: Path, data: Path, recipe: Recipe, rate: float) -> float:
    """The share of the time of a run at ``rate`` that goes into writing its checkpoints."""
    trainer = Trainer(recipe, open_catalogue(data), folder / "checkpoints", "cpu")
    trainer.state.advance()
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        trainer.save()
        taken.append(time.perf_counter() - begun)
    return median(taken) / (recipe.checkpoint_every * recipe.batch / rate + median(taken))


def measure(folder: Path) -> tuple[dict[str, float], dict[str, float], float]:
    """Samples a second of each contender, seconds, and the checkpoints' share."""
    data, recipe = write_catalogue(folder / "noise", count=IMAGES, size=28), load_recipe(RECIPE, SETTINGS)
    table, paces = recipe.model_dump(mode="json", exclude_none=True), dict[str, float]()

    def time_of(name: str, contender: Callable[[], str]) -> None:
        say(f"{name} …")
        begun = time.monotonic()
        told = rates(contender())
        paces[name] = median(told[WARM:])
        each = ", ".join(f"{rate:.0f}" for rate in told)
        say(f"{name}: {each} samples/s; {time.monotonic() - begun:.0f} s in all")

    def here(out: Path) -> str:
        settings = [word for setting in SETTINGS for word in ("--set", setting)]
        return trained([PRODGEN, "train", RECIPE, *settings, "--data", data, "--out", out], out)

    def torchrun(processes: int, settings: list[str], looks: int) -> str:
        out = folder / f"torchrun-{len(paces)}"
        each = load_recipe(RECIPE, [*settings, f"batch={processes * recipe.batch}"])
        out.with_suffix(".json").write_text(each.model_dump_json(exclude_none=True))
        launch = ["torch.distributed.run", "--standalone", "--nproc-per-node", processes, "-m"]
        options = ["--recipe", out.with_suffix(".json"), "--data", data, "--out", out]
        return trained([sys.executable, "-m", *launch, "prodgen.training.process", *options], out, looks)

    time_of("bare loop", lambda: here(folder / "bare"))
    time_of("torchrun, 1 process", lambda: torchrun(1, SETTINGS, LOOKS))
    time_of("wider network, 1 process", lambda: torchrun(1, WIDE, WIDE_LOOKS))
    time_of("wider network, 2 processes", lambda: torchrun(2, WIDE, WIDE_LOOKS))
    say("the service …")
    with Up(folder / "service", workers=1, training_workers=1) as stack, stack.client() as client:
        ref = push_folder(client, data, quiet=True).dataset["id"]
        time_of("queued", lambda: queued(stack, client, ref, table, folder / "bare"))
        seconds = killed(stack, client, ref, table)
    time_of("bare loop again", lambda: here(folder / "again"))
    return paces, seconds, checkpoint_share(folder, data, recipe, paces["bare loop"])


def main(as_json: Json = False) -> None:
    """Compare them, and print one table."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="prodgen-bench-") as folder:
        paces, seconds, share = measure(Path(folder))
    bare, one, wide, two, queue, again = paces.values()
    ratios = {
        "torchrun over the bare loop": one / bare,
        "efficiency: 2 processes over twice 1 (at least 0.90)": two / wide / 2,
        "queued over torchrun (at least 0.97)": queue / one,
        "bare loop again over the first": again / bare,
    }
    if as_json:
        result = {"recipe": RECIPE, "settings": SETTINGS, "samples_per_second": paces, "ratios": ratios}
        print_json({**result, "checkpoint_share": share, "seconds": seconds})
        return
    table = Table("what", "samples/s", "ratio")
    for name, figures in {
        **{name: (f"{pace:.0f}", "") for name, pace in paces.items()},
        **{name: ("", f"{ratio:.3f}") for name, ratio in ratios.items()},
        "share of the time that checkpoints take (at most 0.01)": ("", f"{share:.4f}"),
    }.items():
        table.add_row(name, *figures)
    Console().print(table)
    for name, value in seconds.items():
        print(f"{name}: {value:.1f} s")


if __name__ == "__main__":
    typer.run(main)
