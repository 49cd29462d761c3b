"""What goes wrong in training, seen while it can still be undone."""

import math

from prodgen.errors import ProdgenError

LEAST_DIVERSITY = 0.2
"""Of generated images of one kind, as a share of real ones'."""
WORST = 5.0
"""Times the best Fréchet distance so far."""


class Alarm(ProdgenError):
    """A run that was stopped, and taken back to where it was well."""


class Diverged(Alarm):
    """A loss was not finite, again after returns to the last checkpoint."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"a loss is not a number at step {step}, even after returning to the last checkpoint; "
            "lower the learning rates, or clip the gradients more"
        )


class Collapsed(Alarm):
    """The generator makes nearly the same image again and again, or ever worse ones."""

    def __init__(self, step: int, scores: dict[str, float], best: int) -> None:
        super().__init__(
            f"the generator has collapsed at step {step} ({_worded(scores)}); "
            f"the run is back at its best step, {best}: lower the learning rates, "
            "or augment what the discriminator sees"
        )


def all_finite(numbers: dict[str, float]) -> bool:
    """Whether all of them are numbers one can go on with."""
    return all(map(math.isfinite, numbers.values()))


def is_lively(scores: dict[str, float]) -> bool:
    """Whether images of one kind differ from each other, as far as an evaluation can tell."""
    return scores.get("diversity", 1.0) >= LEAST_DIVERSITY


def looks_collapsed(scores: dict[str, float], best: float, *, was_lively: bool) -> bool:
    """Whether an evaluation that is not the best looks like the end of learning.

    ``was_lively``: a generator that has yet to come to life has not collapsed.
    """
    return (was_lively and not is_lively(scores)) or not scores["domain_fid"] < WORST * best


def _worded(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
