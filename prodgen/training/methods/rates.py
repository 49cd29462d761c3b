"""How fast the networks learn, over the course of a run."""

from collections.abc import Iterable
from typing import Any

import torch

from prodgen.training.recipes.recipe import Recipe


def factor(step: int, steps: int, ramp: int, decay: float) -> float:
    """Up from nothing over the first ``ramp`` steps, down to nothing over the last share ``decay``."""
    rising = (step + 1) / ramp if ramp else 1.0
    falling = (steps - step) / (steps * decay) if decay else 1.0
    return min(1.0, rising, falling)


def restore(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimizer's state, but not its first rates: those are the recipe's, which may have changed.

    What it remembers of a weight is laid out as the weight is, as if it had never been away.
    """
    rates = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["initial_lr"] = rate
    for weight, memory in optimizer.state.items():
        for name, value in memory.items():
            if value.ndim and value.shape == weight.shape:
                memory[name] = torch.empty_like(weight).copy_(value)


def set_rates(optimizers: Iterable[torch.optim.Optimizer], recipe: Recipe, step: int) -> None:
    """Give every optimizer its rate at ``step``: its first one, times the factor."""
    now = factor(step, recipe.steps, recipe.ramp, recipe.decay)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * now
