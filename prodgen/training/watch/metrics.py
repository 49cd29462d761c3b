"""Write the numbers of a training: metrics.jsonl, TensorBoard, progress.json and result.json."""

import json
import logging
import math
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prodgen.files import replacing

if TYPE_CHECKING:
    from prodgen.training.state import TrainingState

log = logging.getLogger("prodgen.training")

PROGRESS, RESULT = "progress.json", "result.json"
RATE = "images_per_second"
REPORT_SECONDS = 2.0
"""Longest time between two reports, unless one step takes longer."""


class Metrics:
    """Writes step, images, time and other numbers to metrics.jsonl, and to TensorBoard if it is installed."""

    def __init__(self, folder: Path) -> None:
        self.path, self._board_folder = folder / "metrics.jsonl", folder / "tensorboard"
        self._board: Any = None

    def write(self, step: int, images: int, numbers: dict[str, float]) -> None:
        """Append the numbers of a step to the log."""
        line = {"step": step, "images": images, "time": round(time.time(), 1), **numbers}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if find_spec("tensorboard"):
            if self._board is None:
                from torch.utils.tensorboard import SummaryWriter

                self._board = SummaryWriter(str(self._board_folder), purge_step=step)
            for name, value in numbers.items():
                self._board.add_scalar(name, value, step)

    def truncate(self, step: int) -> None:
        """Delete the lines of all steps after ``step``. A training that continues there writes them again."""
        lines = [line for line in self.read() if line["step"] <= step]
        if self.path.exists():
            with replacing(self.path) as partial:
                partial.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.close()

    def read(self) -> list[dict[str, Any]]:
        """Return all complete lines. A crash may have cut the last line short."""
        lines = self.path.read_text().split("\n")[:-1] if self.path.exists() else []
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Flush and close TensorBoard's file."""
        if self._board is not None:
            self._board.close()
            self._board = None


class Throughput:
    """Measures images per second since the last `restart`, and seconds since the last report."""

    def __init__(self, images: int) -> None:
        self.restart(images)

    def restart(self, images: int) -> None:
        """Start a new measurement. ``images``: number of images used so far."""
        self._start = self._last_report = time.perf_counter()
        self._images = images

    @property
    def is_report_due(self) -> bool:
        """Whether `REPORT_SECONDS` have passed since the last report."""
        return time.perf_counter() - self._last_report >= REPORT_SECONDS

    def rate(self, images: int) -> float:
        """Return images per second, for a report that is sent now. ``images``: number of images so far."""
        self._last_report = time.perf_counter()
        return (images - self._images) / (self._last_report - self._start)


class Progress:
    """Writes progress.json to ``folder`` at each report of a training, and logs scores."""

    def __init__(self, state: "TrainingState", folder: Path) -> None:
        self.state, self.folder = state, folder
        self(state.step, {RATE: math.nan})

    def __call__(self, step: int, numbers: dict[str, float]) -> None:
        """Write losses and rate to progress.json. If ``numbers`` have no rate, they are scores: log them."""
        if RATE not in numbers:
            scores = "  ".join(f"{name} {value:.3f}" for name, value in numbers.items())
            log.info("step %d  %s", step, scores)
            return
        state, rate = self.state, numbers[RATE]
        images_left = (state.recipe.steps - step) * state.method.batches * state.recipe.batch
        write_json(
            self.folder / PROGRESS,
            {
                "step": step,
                "steps": state.recipe.steps,
                "images": state.images,
                RATE: _or_none(rate),
                "losses": {name: _or_none(value) for name, value in numbers.items() if name != RATE},
                "seconds_left": _or_none(images_left / rate) if rate else None,
            },
        )


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write ``value`` to a JSON file. Atomic."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(value, allow_nan=False) + "\n")


def _or_none(number: float) -> float | None:
    """Return the number, or None if it is not finite, because JSON has no such numbers."""
    return number if math.isfinite(number) else None
