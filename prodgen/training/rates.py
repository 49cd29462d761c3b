"""How fast the networks learn, over the course of a run."""

from collections.abc import Iterable

import torch

from prodgen.training.recipe import Recipe


def factor(step: int, steps: int, ramp: int, decay: float) -> float:
    """Up from nothing over the first ``ramp`` steps, down to nothing over the last share ``decay``."""
    rising = (step + 1) / ramp if ramp else 1.0
    falling = (steps - step) / (steps * decay) if decay else 1.0
    return min(1.0, rising, falling)


def set_rates(optimizers: Iterable[torch.optim.Optimizer], recipe: Recipe, step: int) -> None:
    """Give every optimizer its rate at ``step``: its first one, times the factor."""
    now = factor(step, recipe.steps, recipe.ramp, recipe.decay)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * now
