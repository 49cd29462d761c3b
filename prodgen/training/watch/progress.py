"""Write the progress and the result of a run's process as JSON files that are complete at any moment."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prodgen.training.state import TrainingState

PROGRESS, RESULT = "progress.json", "result.json"
RATE = "images_per_second"


class Progress:
    """Writes progress.json to ``folder`` at each report of a training, and prints scores."""

    def __init__(self, state: "TrainingState", folder: Path) -> None:
        self.state, self.folder = state, folder
        self(state.step, {RATE: math.nan})

    def __call__(self, step: int, numbers: dict[str, float]) -> None:
        """Write losses and rate to progress.json. Numbers without a rate are scores, which are printed."""
        if RATE not in numbers:
            scores = "  ".join(f"{name} {value:.3f}" for name, value in numbers.items())
            print(f"step {step}  {scores}", flush=True)
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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".json.part")
    temporary.write_text(json.dumps(value, allow_nan=False) + "\n")
    temporary.replace(path)


def _or_none(number: float) -> float | None:
    """Return the number, or None if it is not finite, because JSON has no such numbers."""
    return number if math.isfinite(number) else None
