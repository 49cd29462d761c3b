"""A training run: from a recipe and a catalogue to the best of its steps."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.errors import ProdgenError
from prodgen.training import checkpoint
from prodgen.training.alarms import Collapsed, Diverged, all_finite, is_lively, looks_collapsed
from prodgen.training.batches import Batches
from prodgen.training.ema import Ema
from prodgen.training.grid import write_grid
from prodgen.training.judge import EVALUATED, Judge
from prodgen.training.method import Losses
from prodgen.training.metrics import Metrics
from prodgen.training.rates import restore, set_rates
from prodgen.training.recipe import Recipe
from prodgen.training.setup import set_up
from prodgen.training.transfer import Source

ADJUSTABLE = {
    *("steps", "evaluate_every", "checkpoint_every", "sample_every", "compile"),
    *("generator_lr", "discriminator_lr", "autoencoder_lr", "prior_lr", "ramp", "decay", "clip", "augment"),
}
"""What a recipe may say otherwise when a run is resumed: how long, how often, and what saves a run."""
LOOK_EVERY = 50
"""Steps between two looks at the losses: each look waits for the device."""
RETURNS = 3
"""Returns to the last checkpoint before a run that diverges is given up."""

Report = Callable[[int, dict[str, float]], None]


class Run:
    """One run, in its folder: checkpoint.safetensors, best.safetensors, metrics.jsonl, samples/.

    ``source``: what a run that is not resumed begins with.
    """

    def __init__(
        self,
        recipe: Recipe,
        catalogue: Catalogue,
        folder: Path,
        device: str,
        source: Source | None = None,
    ) -> None:
        if len(catalogue) < recipe.batch:
            raise ProdgenError(
                f"the data holds {len(catalogue)} images, fewer than a batch of {recipe.batch}"
            )
        self.recipe, self.catalogue, self.folder, self.device = recipe, catalogue, folder, device
        self.step, self.best, self.was_lively, self.returns = 0, float("inf"), False, 0
        self.data = digest(catalogue)
        self._refuse_freezing(source)
        torch.manual_seed(recipe.seed)
        size, channels = catalogue.images.shape[1], catalogue.images.shape[3]
        self.method = set_up(recipe, catalogue.schema(), size, channels, device, source)
        self.ema = Ema(self.method.generator, recipe.ema)
        self.batches = Batches(catalogue, recipe, device)
        self.metrics = Metrics(folder)

    @property
    def images(self) -> int:
        """Real images seen so far."""
        return self.step * self.method.batches * self.recipe.batch

    def advance(self) -> Losses:
        """One step of every network -> their losses, still on the device."""
        progress = self.step / self.recipe.steps
        set_rates(self.method.optimizers.values(), self.recipe, self.step)
        first = self.step * self.method.batches
        losses = self.method.step([self.batches[first + k] for k in range(self.method.batches)], progress)
        self.ema.update(self.method.generator, self.step)
        self.step += 1
        return losses

    def train(self, report: Report, stopping: Callable[[], bool]) -> None:
        """Go on to the recipe's last step, or until ``stopping()``; ``report`` hears of some steps.

        Raises Diverged or Collapsed, the run taken back to where it was well.
        """
        judge = Judge(self.catalogue, self.data, self.folder, self.device)
        if not self.checkpoint_file.exists():
            self.save()  # something to return to
            self.best_file.unlink(missing_ok=True)
        self.metrics.forget_after(self.step)
        try:
            self._train(judge, report, stopping)
        finally:
            self.metrics.close()

    def _train(self, judge: Judge, report: Report, stopping: Callable[[], bool]) -> None:
        recipe = self.recipe
        clock, seen = time.perf_counter(), self.images
        while self.step < recipe.steps and not stopping():
            losses = self.advance()
            last = self.step == recipe.steps
            looking = self.step % LOOK_EVERY == 0 or last
            numbers = {name: float(value) for name, value in losses.items()} if looking else {}
            if not all_finite(numbers) or (self._is_due(last) and not self._is_well()):
                self._return()
                clock, seen = time.perf_counter(), self.images
                continue
            if looking:
                numbers["images_per_second"] = (self.images - seen) / (time.perf_counter() - clock)
                clock, seen = time.perf_counter(), self.images
                self._record(numbers, report)
            if self.step % recipe.sample_every == 0 or last:
                self._settled(1000)
                write_grid(self.ema.model, self.folder / "samples" / f"{self.step:07d}.png", recipe.seed)
            if self.step % recipe.evaluate_every == 0 or last:
                scores = self._scores(judge)
                self._record(scores, report)
                self._keep_or_stop(scores)
            if self.step % recipe.checkpoint_every == 0:
                self.save()
        if self._is_well():
            self.save()

    def _is_due(self, last: bool) -> bool:
        recipe = self.recipe
        every = (recipe.sample_every, recipe.evaluate_every, recipe.checkpoint_every)
        return last or any(self.step % steps == 0 for steps in every)

    def _is_well(self) -> bool:
        """Whether every weight is a number: what is kept or judged must be."""
        parts = [*self.method.modules.values(), self.ema.model]
        return all(bool(p.isfinite().all()) for part in parts for p in part.parameters())

    def _record(self, numbers: dict[str, float], report: Report) -> None:
        self.metrics.write(self.step, self.images, numbers)
        report(self.step, numbers)

    def _scores(self, judge: Judge) -> dict[str, float]:
        with torch.random.fork_rng():
            torch.manual_seed(self.recipe.seed + 1)
            conditions = self.batches.conditions(EVALUATED)
            self.ema.settle(self._latents(EVALUATED), conditions, 100)
            return judge(self.ema.model, self._latents(EVALUATED), conditions)

    def _keep_or_stop(self, scores: dict[str, float]) -> None:
        """Keep the run as it is at its best step; raises Collapsed, and takes it back there, if it fell."""
        collapsed = looks_collapsed(scores, self.best, was_lively=self.was_lively)
        self.was_lively |= is_lively(scores)
        if scores["domain_fid"] < self.best:
            self.best, self.returns = scores["domain_fid"], 0
            state = {"step": self.step, "images": self.images, "scores": scores, "run": self.state()}
            checkpoint.save(self.best_file, state)
        elif self.is_evaluated and collapsed:
            state = checkpoint.load(self.best_file)
            checkpoint.save(self.checkpoint_file, state["run"])
            raise Collapsed(self.step, scores, int(state["step"]))

    def _settled(self, images: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(self.recipe.seed + 2)
            self.ema.settle(self._latents(images), self.batches.conditions(images), 100)

    def _latents(self, count: int) -> Tensor:
        return torch.randn(count, self.method.generator.latent_dim, device=self.device)

    def _return(self) -> None:
        """Back to the last checkpoint, and on by another path; a run that diverges again and again ends."""
        diverged, best, self.returns = self.step, self.best, self.returns + 1
        if self.returns > RETURNS or not self.resume(keep_random=False):
            raise Diverged(diverged)
        self.best = best  # whose file is still there
        self.metrics.forget_after(self.step)

    # What is kept

    @property
    def checkpoint_file(self) -> Path:
        """What `resume` reads."""
        return self.folder / checkpoint.CHECKPOINT

    @property
    def best_file(self) -> Path:
        """The run as it was at its best step, and what it scored."""
        return self.folder / checkpoint.BEST

    @property
    def is_evaluated(self) -> bool:
        """Whether there is a best step to export."""
        return self.best_file.exists()

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "data": self.data,
            "step": self.step,
            "best": self.best,
            "was_lively": self.was_lively,
            "ema": self.ema.model.state_dict(),
            "modules": {name: module.state_dict() for name, module in self.method.modules.items()},
            "optimizers": {name: part.state_dict() for name, part in self.method.optimizers.items()},
            "random": torch.get_rng_state(),
            "device_random": torch.cuda.get_rng_state(self.device) if self._on_cuda else None,
        }

    def save(self) -> None:
        """Write the checkpoint."""
        checkpoint.save(self.checkpoint_file, self.state())

    def resume(self, *, keep_random: bool = True) -> bool:
        """Go on from the folder's checkpoint, if there is one, with the numbers of an uninterrupted run.

        Without ``keep_random`` the run goes on with other random numbers. Raises ProdgenError if the
        checkpoint cannot be read, or was made under a recipe, or from data, that would give other numbers.
        """
        path = self.checkpoint_file
        if not path.exists():
            return False
        state = checkpoint.load(path)
        self._refuse_another(state, path)
        try:
            self.ema.model.load_state_dict(state["ema"])
            for name, module in self.method.modules.items():
                module.load_state_dict(state["modules"][name])
            for name, optimizer in self.method.optimizers.items():
                restore(optimizer, state["optimizers"][name])
            self.step, self.best = int(state["step"]), float(state["best"])
            self.was_lively = bool(state["was_lively"])
            if keep_random:
                torch.set_rng_state(state["random"])
                if self._on_cuda and state.get("device_random") is not None:
                    torch.cuda.set_rng_state(state["device_random"], self.device)
        except (KeyError, TypeError, RuntimeError, ValueError):
            raise ProdgenError(f"{path} belongs to a run of another recipe: its networks differ") from None
        return True

    @property
    def _on_cuda(self) -> bool:
        return torch.device(self.device).type == "cuda"

    def _refuse_freezing(self, source: Source | None) -> None:
        trained = self.checkpoint_file.exists() or (source and source.discriminator)
        if getattr(self.recipe, "freeze", 0) and not trained:
            raise ProdgenError(
                "freeze keeps what a discriminator has learnt; begin --from the folder of a run that has one",
                param="freeze",
            )

    def _refuse_another(self, state: dict[str, Any], path: Path) -> None:
        if state.get("data", self.data) != self.data:
            raise ProdgenError(
                f"{path} was trained on other data ({state['data']}, this is {self.data}); resume it with "
                "the same, or train in another folder"
            )
        mine = self.recipe.model_dump(mode="json")
        for key, value in state.get("recipe", {}).items():
            if key not in ADJUSTABLE and value != mine.get(key):
                raise ProdgenError(
                    f"{path} was made with {key} = {value}, not {mine.get(key)}; "
                    "resume it with the same, or train in another folder",
                    param=key,
                )
