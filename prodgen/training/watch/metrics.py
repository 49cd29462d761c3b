"""The log of a training: metrics.jsonl for programs, TensorBoard for people."""

import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any


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
        """Delete the lines of the steps after ``step``, from which the training continues."""
        lines = [line for line in self.read() if line["step"] <= step]
        if self.path.exists():
            temporary = self.path.with_suffix(".part")
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))
            temporary.replace(self.path)
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
