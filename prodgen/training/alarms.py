"""What goes wrong in training, seen while it can still be undone."""

import math

from prodgen.errors import ProdgenError

LEAST_DIVERSITY = 0.2
"""Of generated images of one kind, as a share of real ones'."""
WORST = 5.0
"""Times the best Fréchet distance so far."""


class Diverged(ProdgenError):
    """A loss was not finite, again after returns to the last checkpoint."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"a loss is not a number at step {step}, even after returning to the last checkpoint; "
            "lower the learning rates, or clip the gradients more"
        )


class Collapsed(ProdgenError):
    """The generator makes nearly the same image again and again, or ever worse ones."""

    def __init__(self, step: int, scores: dict[str, float], best: int) -> None:
        super().__init__(
            f"the generator has collapsed at step {step} (diversity {scores['diversity']:.2f}, "
            f"Fréchet distance {scores['domain_fid']:.1f}); the run is back at its best step, {best}: "
            "lower the learning rates, or augment what the discriminator sees"
        )


def all_finite(numbers: dict[str, float]) -> bool:
    """Whether all of them are numbers one can go on with."""
    return all(map(math.isfinite, numbers.values()))


def looks_collapsed(scores: dict[str, float], best: float) -> bool:
    """Whether an evaluation that is not the best looks like the end of learning."""
    return scores["diversity"] < LEAST_DIVERSITY or not scores["domain_fid"] < WORST * best
