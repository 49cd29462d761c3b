"""How a run comes along and how it ended, as files, for whoever started it: JSON, whole at any moment."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prodgen.training.run import Run

PROGRESS, RESULT = "progress.json", "result.json"
RATE = "images_per_second"


class Progress:
    """Writes progress.json when the run reports: at least every two seconds, steps permitting."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self(run.step, {RATE: math.nan})

    def __call__(self, step: int, numbers: dict[str, float]) -> None:
        """Hear of a step; of scores, which come without a rate, the log tells."""
        if RATE not in numbers:
            told = "  ".join(f"{name} {value:.3f}" for name, value in numbers.items())
            print(f"step {step}  {told}", flush=True)
            return
        run, rate = self.run, numbers[RATE]
        left = (run.recipe.steps - step) * run.method.batches * run.recipe.batch
        write_json(
            run.folder / PROGRESS,
            {
                "step": step,
                "steps": run.recipe.steps,
                "images": run.images,
                RATE: _known(rate),
                "losses": {name: _known(value) for name, value in numbers.items() if name != RATE},
                "seconds_left": _known(left / rate) if rate else None,
            },
        )


def write_json(path: Path, value: dict[str, Any]) -> None:
    """The file as a whole, or as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".json.part")
    temporary.write_text(json.dumps(value, allow_nan=False) + "\n")
    temporary.replace(path)


def _known(number: float) -> float | None:
    """JSON has no word for what is no number."""
    return number if math.isfinite(number) else None
