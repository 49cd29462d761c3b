"""Everything that the next step of a run depends on, and whether it may go on from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from prodgen.errors import ProdgenError
from prodgen.training.methods.rates import restore

if TYPE_CHECKING:
    from prodgen.training.run import Run

ADJUSTABLE = {
    *("steps", "evaluate_every", "checkpoint_every", "sample_every", "compile"),
    *("generator_lr", "discriminator_lr", "autoencoder_lr", "prior_lr", "ramp", "decay", "warm_up"),
    *("clip", "augment"),
}
"""What a recipe may say otherwise when a run is resumed: how long, how often, and what saves a run."""


def state_of(run: "Run") -> dict[str, Any]:
    """The same on every process of the run."""
    return {
        "recipe": run.recipe.model_dump(mode="json"),
        "data": run.data,
        "step": run.step,
        "best": run.best,
        "was_lively": run.was_lively,
        "trained": run.ema.trained,
        "head_start": run.head_start,
        "ema": run.ema.model.state_dict(),
        "modules": {name: module.state_dict() for name, module in run.method.modules.items()},
        "optimizers": {name: part.state_dict() for name, part in run.method.optimizers.items()},
        "random": torch.get_rng_state(),
        "device_random": torch.cuda.get_rng_state(run.device) if run.on_cuda else None,
    }


def go_on_from(run: "Run", state: dict[str, Any], where: Path, *, keep_random: bool) -> None:
    """Take a run to a state; without ``keep_random`` it goes on with other random numbers.

    Raises ProdgenError if the state was made under a recipe, or from data, that would give other numbers.
    """
    _refuse_another(run, state, where)
    try:
        run.ema.model.load_state_dict(state["ema"])
        for name, module in run.method.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimizer in run.method.optimizers.items():
            restore(optimizer, state["optimizers"][name])
        run.step, run.best = int(state["step"]), float(state["best"])
        run.was_lively = bool(state["was_lively"])
        run.ema.trained = bool(state.get("trained", False))
        run.head_start = int(state.get("head_start", 0))
        if keep_random:
            torch.set_rng_state(state["random"])
            if run.on_cuda and state.get("device_random") is not None:
                torch.cuda.set_rng_state(state["device_random"], run.device)
    except (KeyError, TypeError, RuntimeError, ValueError):
        raise ProdgenError(f"{where} belongs to a run of another recipe: its networks differ") from None


def _refuse_another(run: "Run", state: dict[str, Any], where: Path) -> None:
    if state.get("data", run.data) != run.data:
        raise ProdgenError(
            f"{where} was trained on other data ({state['data']}, this is {run.data}); resume it with "
            "the same, or train in another folder"
        )
    own = run.recipe.model_dump(mode="json")
    for key, value in state.get("recipe", {}).items():
        if key not in ADJUSTABLE and value != own.get(key):
            raise ProdgenError(
                f"{where} was made with {key} = {value}, not {own.get(key)}; "
                "resume it with the same, or train in another folder",
                param=key,
            )
