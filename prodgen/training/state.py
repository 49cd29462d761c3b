"""The state of a training: everything that the next step depends on."""

from pathlib import Path
from typing import Any

import torch

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.errors import ProdgenError
from prodgen.reproducible import reproducible
from prodgen.training.batches import Batches
from prodgen.training.distributed.batch_norm import sync_batch_norm
from prodgen.training.distributed.world import world_size
from prodgen.training.ema import Ema
from prodgen.training.methods.grow import learn_to_enlarge
from prodgen.training.methods.method import Losses, load_optimizer, set_rates
from prodgen.training.methods.setup import Pretrained, set_up
from prodgen.training.recipes.checks import added_blocks, check_recipe
from prodgen.training.recipes.recipe import Recipe

ADJUSTABLE = {
    *("steps", "evaluate_every", "checkpoint_every", "sample_every", "compile"),
    *("generator_lr", "discriminator_lr", "autoencoder_lr", "prior_lr", "ramp", "decay", "warm_up"),
    *("clip", "augment"),
}
"""Keys of the recipe that may change when a training is resumed."""


class TrainingState:
    """Recipe, data, networks, optimizers, moving average and step of one training; equal on every process.

    ``pretrained``: the model to start from. ``head_start``: number of first steps in which only the
    discriminator learns. ``best_fid``: lowest Fréchet distance of all evaluations. ``best_score``: lowest
    value of the figure that the recipe's ``select`` names; the figure may be the Fréchet distance too.
    ``was_diverse``: whether, in any evaluation so far, generated images of one class differed from each
    other.
    """

    def __init__(
        self, recipe: Recipe, catalogue: Catalogue, device: str, pretrained: Pretrained | None = None
    ) -> None:
        size, channels = catalogue.images.shape[1], catalogue.images.shape[3]
        check_recipe(recipe, size, channels, len(catalogue), world_size())
        self.recipe, self.catalogue, self.device = recipe, catalogue, device
        self.data_digest = digest(catalogue)
        self.step, self.best_fid, self.best_score, self.was_diverse = 0, float("inf"), float("inf"), False
        torch.manual_seed(recipe.seed)
        self.method = set_up(recipe, catalogue, device, pretrained)
        self.head_start = 0
        if pretrained and not pretrained.discriminator and "discriminator" in self.method.modules:
            self.head_start = round(recipe.head_start * recipe.steps)
        self.batches = Batches(catalogue, recipe, device)
        if pretrained and added_blocks(pretrained.model.config, recipe, size):
            smaller = pretrained.model.generator.to(device)
            with reproducible():
                learn_to_enlarge(self.method.generator, smaller, self.batches.conditions)
        self.ema = Ema(self.method.generator, recipe.ema, warm_start=pretrained is not None)
        for module in self.method.modules.values():
            sync_batch_norm(module)

    @property
    def images(self) -> int:
        """Number of real images that the training has used so far."""
        return self.step * self.method.batches * self.recipe.batch

    @property
    def on_cuda(self) -> bool:
        """Whether the training runs on a GPU."""
        return torch.device(self.device).type == "cuda"

    def advance(self) -> Losses:
        """Train every network for one step; return the losses as tensors on the device."""
        progress, self.method.discriminator_only = self.step / self.recipe.steps, self.step < self.head_start
        set_rates(self.method.optimizers.values(), self.recipe, self.step)
        first = self.step * self.method.batches
        batches = [self.batches[first + k] for k in range(self.method.batches)]
        losses = self.method.step(batches, progress)
        self.ema.update(self.method.generator, self.step)
        self.step += 1
        return losses

    def is_finite(self) -> bool:
        """Return whether all weights are finite numbers."""
        networks = [*self.method.modules.values(), self.ema.model]
        return all(bool(p.isfinite().all()) for network in networks for p in network.parameters())

    def to_checkpoint(self) -> dict[str, Any]:
        """Return the state as a dictionary that `prodgen.training.checkpoint` can write."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "data": self.data_digest,
            "step": self.step,
            "best": self.best_fid,
            "best_score": self.best_score,
            "was_lively": self.was_diverse,
            "trained": self.ema.warm_start,
            "head_start": self.head_start,
            "ema": self.ema.model.state_dict(),
            "modules": {name: module.state_dict() for name, module in self.method.modules.items()},
            "optimizers": {name: part.state_dict() for name, part in self.method.optimizers.items()},
            "random": torch.get_rng_state(),
            "device_random": torch.cuda.get_rng_state(self.device) if self.on_cuda else None,
        }

    def restore(self, saved: dict[str, Any], path: Path, *, keep_random: bool = True) -> None:
        """Restore the state from ``saved``, the content of the checkpoint at ``path``.

        The next steps compute the same numbers as in an uninterrupted training. If ``keep_random`` is false,
        the random state is not restored, so the next steps draw other random numbers. Raises ProdgenError if
        the checkpoint has other data, other networks, or other values of recipe keys outside `ADJUSTABLE`.
        """
        self._check_compatible(saved, path)
        try:
            self.ema.model.load_state_dict(saved["ema"])
            for name, module in self.method.modules.items():
                module.load_state_dict(saved["modules"][name])
            for name, optimizer in self.method.optimizers.items():
                load_optimizer(optimizer, saved["optimizers"][name])
            self.step, self.best_fid = int(saved["step"]), float(saved["best"])
            self.best_score = float(saved.get("best_score", self.best_fid))
            self.was_diverse = bool(saved["was_lively"])
            self.ema.warm_start = bool(saved.get("trained", False))
            self.head_start = int(saved.get("head_start", 0))
            if keep_random:
                torch.set_rng_state(saved["random"])
                if self.on_cuda and saved.get("device_random") is not None:
                    torch.cuda.set_rng_state(saved["device_random"], self.device)
        except (KeyError, TypeError, RuntimeError, ValueError):
            raise ProdgenError(f"{path} belongs to another recipe: its networks differ") from None

    def _check_compatible(self, saved: dict[str, Any], path: Path) -> None:
        if saved.get("data", self.data_digest) != self.data_digest:
            raise ProdgenError(
                f"{path} was trained on other data ({saved['data']}, this is {self.data_digest}); resume it "
                "with the same, or train in another folder"
            )
        own = self.recipe.model_dump(mode="json")
        for key, value in saved.get("recipe", {}).items():
            if key not in ADJUSTABLE and value != own.get(key):
                raise ProdgenError(
                    f"{path} was made with {key} = {value}, not {own.get(key)}; "
                    "resume it with the same, or train in another folder",
                    param=key,
                )
