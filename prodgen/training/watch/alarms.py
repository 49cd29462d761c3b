"""What goes wrong in training, seen while it can still be undone."""

import math
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.utils import get_total_norm

from prodgen.errors import ProdgenError
from prodgen.training.distributed.exchange import any_of, first
from prodgen.training.methods.objectives import LOSSES

if TYPE_CHECKING:
    from prodgen.training.run import Run

LEAST_DIVERSITY = 0.2
"""Of generated images of one kind, as a share of real ones'."""
WORST = 5.0
"""Times the best Fréchet distance so far."""
STILL = 1e-6
"""The norm of a gradient by which nothing is learnt; behind dead units it is exactly zero."""
ROUNDING = 1e-3
"""What it may take from a loss."""


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


class Dead(Alarm):
    """The discriminator sees nothing in any image, and will not again: no gradient reaches its weights."""

    def __init__(self, step: int, best: int | None) -> None:
        back = "its last checkpoint" if best is None else f"its best step, {best}"
        super().__init__(
            f"the discriminator is dead at step {step}: it tells no real image from a generated one, and "
            f"neither learns nor teaches any more; the run is back at {back}: lower discriminator_lr"
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


def is_dead(run: "Run", numbers: dict[str, float]) -> bool:
    """Whether a step, of which these are the losses, taught a discriminator nothing, though it knows nothing.

    One that has won learns nothing either, but tells real images from generated ones.
    """
    return _is_blind(run, numbers) and not any_of(_learns(run.method.modules["discriminator"]))[0]


def was_blind(run: "Run") -> bool:
    """Whether it told no images apart at the last look either: a single batch may show it nothing."""
    looks = first(lambda: [line for line in run.metrics.read() if "discriminator" in line])
    return bool(looks) and _is_blind(run, looks[-1])


def _is_blind(run: "Run", numbers: dict[str, float]) -> bool:
    loss = numbers.get("discriminator")
    return loss is not None and loss >= LOSSES[run.recipe.loss].blind - ROUNDING


def _learns(network: nn.Module) -> bool:
    """Whether the last gradient reaches any of the weights.

    Biases do not count: that of the logits is moved, under some losses, even if nothing before it lives.
    """
    gradients = [p.grad for p in network.parameters() if p.grad is not None and p.ndim > 1]
    return not float(get_total_norm(gradients)) <= STILL


def _worded(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
