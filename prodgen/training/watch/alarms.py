"""Detect the failure of a training early enough to return to a good checkpoint."""

from torch import nn
from torch.nn.utils import get_total_norm

from prodgen.errors import ProdgenError
from prodgen.training.distributed.collectives import any_rank
from prodgen.training.methods.objectives import LOSSES
from prodgen.training.state import TrainingState

MIN_DIVERSITY = 0.2
"""Least diversity of the generated images of a class, as a share of the diversity of real images."""
MAX_FID_RATIO = 5.0
"""A Fréchet distance above this multiple of the best Fréchet distance shows a collapse."""
MIN_GRADIENT_NORM = 1e-6
"""Gradients below this norm train nothing. Gradients behind dead units are exactly zero."""
ROUNDING = 1e-3
"""Largest rounding error of a loss."""


class Alarm(ProdgenError):
    """Base class: a training has failed and is stopped. Its checkpoint is then from an earlier, good step."""


class Diverged(Alarm):
    """A loss or weight was not finite, even after repeated returns to the last checkpoint."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"a loss is not a number at step {step}, even after returning to the last checkpoint; "
            "lower the learning rates, or clip the gradients more"
        )


class Collapsed(Alarm):
    """The generator makes nearly the same image for all latents, or far worse images than before."""

    def __init__(self, step: int, scores: dict[str, float], best_step: int) -> None:
        listed = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
        super().__init__(
            f"the generator has collapsed at step {step} ({listed}); "
            f"the training is back at its best step, {best_step}: lower the learning rates, "
            "or augment what the discriminator sees"
        )


class Dead(Alarm):
    """The discriminator gives every image the same logit, and no gradient reaches its weights."""

    def __init__(self, step: int, best_step: int | None) -> None:
        back = "its last checkpoint" if best_step is None else f"its best step, {best_step}"
        super().__init__(
            f"the discriminator is dead at step {step}: it cannot tell real images from generated ones, and "
            f"no gradient reaches its weights; the training is back at {back}: lower discriminator_lr"
        )


def is_diverse(scores: dict[str, float]) -> bool:
    """Return whether generated images of a class differ from each other; true without a diversity score."""
    return scores.get("diversity", 1.0) >= MIN_DIVERSITY


def looks_collapsed(scores: dict[str, float], best_fid: float, *, was_diverse: bool) -> bool:
    """Return whether the Fréchet distance is far above ``best_fid``, or the images' diversity is lost.

    ``was_diverse``: whether images were diverse before; if they never were, low diversity shows no collapse.
    """
    return (was_diverse and not is_diverse(scores)) or not scores["domain_fid"] < MAX_FID_RATIO * best_fid


def is_dead(state: TrainingState, losses: dict[str, float]) -> bool:
    """Return whether the discriminator is at chance and its last gradients are zero.

    A discriminator that separates real from generated images perfectly has zero gradients, but is not at
    chance.
    """
    return is_at_chance(state, losses) and not any_rank(_learns(state.method.modules["discriminator"]))[0]


def is_at_chance(state: TrainingState, losses: dict[str, float]) -> bool:
    """Return whether the discriminator is no better than one that gives every image the same logit."""
    loss = losses.get("discriminator")
    return loss is not None and loss >= LOSSES[state.recipe.loss].chance - ROUNDING


def _learns(network: nn.Module) -> bool:
    """Return whether the last gradients of all weights together have a norm above `MIN_GRADIENT_NORM`.

    Biases do not count: some losses move the last bias even if all layers before it are dead.
    """
    gradients = [p.grad for p in network.parameters() if p.grad is not None and p.ndim > 1]
    return not float(get_total_norm(gradients)) <= MIN_GRADIENT_NORM
