"""A training run: from a recipe and a catalogue to the best of its steps."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.training import checkpoint
from prodgen.training.alarms import Collapsed, Diverged, all_finite, looks_collapsed
from prodgen.training.batches import Batches
from prodgen.training.ema import Ema
from prodgen.training.grid import write_grid
from prodgen.training.judge import EVALUATED, Judge
from prodgen.training.method import Losses
from prodgen.training.metrics import Metrics
from prodgen.training.rates import set_rates
from prodgen.training.recipe import Recipe
from prodgen.training.setup import set_up

ADJUSTABLE = ("steps", "evaluate_every", "checkpoint_every", "sample_every", "compile")
"""What a recipe may say otherwise when a run is resumed."""
LOOK_EVERY = 50
"""Steps between two looks at the losses: each look waits for the device."""
RETURNS = 3
"""Returns to the last checkpoint before a run that diverges is given up."""

Report = Callable[[int, dict[str, float]], None]


class Run:
    """One run, in its folder: checkpoint.safetensors, best.safetensors, metrics.jsonl, samples/."""

    def __init__(self, recipe: Recipe, catalogue: Catalogue, folder: Path, device: str) -> None:
        if len(catalogue) < recipe.batch:
            raise ProdgenError(
                f"the data holds {len(catalogue)} images, fewer than a batch of {recipe.batch}"
            )
        self.recipe, self.catalogue, self.folder, self.device = recipe, catalogue, folder, device
        self.step, self.best, self.returns = 0, float("inf"), 0
        torch.manual_seed(recipe.seed)
        size, channels = catalogue.images.shape[1], catalogue.images.shape[3]
        self.method = set_up(recipe, catalogue.schema(), size, channels, device)
        self.ema = Ema(self.method.generator, recipe.ema)
        self.batches = Batches(catalogue, recipe.batch, recipe.seed, device, recipe.drop, recipe.transform)
        if recipe.compile:
            for module in self.method.modules.values():
                module.compile()
        folder.mkdir(parents=True, exist_ok=True)
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
        judge, recipe = Judge(self.catalogue, self.folder, self.device), self.recipe
        if not self.checkpoint_file.exists():
            self.save()  # something to return to
        self.metrics.forget_after(self.step)
        clock, seen = time.perf_counter(), self.images
        while self.step < recipe.steps and not stopping():
            losses = self.advance()
            last = self.step == recipe.steps
            if self.step % LOOK_EVERY == 0 or last:
                numbers = {name: float(value) for name, value in losses.items()}
                if not all_finite(numbers):
                    self._return()
                    continue
                numbers["images_per_second"] = (self.images - seen) / (time.perf_counter() - clock)
                clock, seen = time.perf_counter(), self.images
                self._record(numbers, report)
            if self._is_due(last) and not self._is_well():
                self._return()
                continue
            if self.step % recipe.sample_every == 0 or last:
                self._settled(1000)
                write_grid(self.ema.model, self.folder / "samples" / f"{self.step:07d}.png", recipe.seed)
            if self.step % recipe.evaluate_every == 0 or last:
                self._record(self._evaluate(judge), report)
            if self.step % recipe.checkpoint_every == 0:
                self.save()
        if self._is_well():
            self.save()
        self.metrics.close()

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

    def _evaluate(self, judge: Judge) -> dict[str, float]:
        with torch.random.fork_rng():
            torch.manual_seed(self.recipe.seed + 1)
            conditions = self.batches.conditions(EVALUATED)
            self.ema.settle(self._latents(EVALUATED), conditions, 100)
            scores = judge(self.ema.model, self._latents(EVALUATED), conditions)
        if scores["domain_fid"] < self.best:
            self.best = scores["domain_fid"]
            state = {"step": self.step, "images": self.images, "scores": scores, "run": self.state()}
            checkpoint.save(self.best_file, state)
        elif looks_collapsed(scores, self.best):
            state = checkpoint.load(self.best_file)
            checkpoint.save(self.checkpoint_file, state["run"])
            raise Collapsed(self.step, scores, int(state["step"]))
        return scores

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
        return self.folder / "checkpoint.safetensors"

    @property
    def best_file(self) -> Path:
        """The run as it was at its best step, and what it scored."""
        return self.folder / "best.safetensors"

    @property
    def is_evaluated(self) -> bool:
        """Whether there is a best step to export."""
        return self.best_file.exists()

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "best": self.best,
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
        checkpoint cannot be read, or was made under a recipe that would give other numbers.
        """
        path = self.checkpoint_file
        if not path.exists():
            return False
        state = checkpoint.load(path)
        self._refuse_another(state.get("recipe"), path)
        try:
            self.ema.model.load_state_dict(state["ema"])
            for kind, parts in (("modules", self.method.modules), ("optimizers", self.method.optimizers)):
                for name, part in parts.items():
                    part.load_state_dict(state[kind][name])
            self.step, self.best = int(state["step"]), float(state["best"])
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

    def _refuse_another(self, recipe: dict[str, Any] | None, path: Path) -> None:
        mine = self.recipe.model_dump(mode="json")
        for key, value in (recipe or {}).items():
            if key not in ADJUSTABLE and value != mine.get(key):
                raise ProdgenError(
                    f"{path} was made with {key} = {value}, not {mine.get(key)}; "
                    "resume it with the same, or train in another folder",
                    param=key,
                )
