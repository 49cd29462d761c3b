"""Set learning rates over the course of a training."""

from collections.abc import Iterable
from typing import Any

import torch

from prodgen.training.recipes.recipe import Recipe


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load ``state`` into an optimizer, except learning rates: these are the recipe's and may have changed.

    Moments get the memory format of their weights, as in an uninterrupted training.
    """
    rates = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["initial_lr"] = rate
    for weight, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.ndim and value.shape == weight.shape:
                moments[name] = torch.empty_like(weight).copy_(value)


def set_rates(optimizers: Iterable[torch.optim.Optimizer], recipe: Recipe, step: int) -> None:
    """Set the learning rates of all optimizers for ``step``.

    The rates rise from 0 over the first ``ramp`` steps, and fall to 0 over the last share ``decay`` of the
    steps.
    """
    rising = (step + 1) / recipe.ramp if recipe.ramp else 1.0
    falling = (recipe.steps - step) / (recipe.steps * recipe.decay) if recipe.decay else 1.0
    factor = min(1.0, rising, falling)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
