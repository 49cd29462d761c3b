"""A training run: from a recipe and a catalogue to the best of its steps.

It may be one process's or that of many (`prodgen.training.world`), which all do the same, each with its rows
of a batch: the recipe's batch is that of all together, and the numbers are the same whatever their number.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.errors import ProdgenError
from prodgen.training import checkpoint
from prodgen.training.alarms import (
    Collapsed,
    Dead,
    Diverged,
    all_finite,
    is_dead,
    is_lively,
    looks_collapsed,
    was_blind,
)
from prodgen.training.batch_norm import span_the_world
from prodgen.training.batches import Batches
from prodgen.training.clock import Clock
from prodgen.training.ema import Ema
from prodgen.training.exchange import any_of, first, mean, mirror, read, share
from prodgen.training.fits import check_fits
from prodgen.training.judge import CLASSIFIER, EVALUATED
from prodgen.training.method import Losses
from prodgen.training.metrics import Metrics
from prodgen.training.rates import set_rates
from prodgen.training.recipe import Recipe
from prodgen.training.review import Review
from prodgen.training.setup import set_up
from prodgen.training.state import go_on_from, state_of
from prodgen.training.transfer import Source
from prodgen.training.world import size as world_size
from prodgen.training.world import writes

LOOK_EVERY = 50
"""Steps between two looks at the losses: each look waits for the device."""
RETURNS = 3
"""Returns to the last checkpoint before a run that diverges is given up."""

Report = Callable[[int, dict[str, float]], None]


class Run:
    """One run, in its folder: checkpoint.safetensors, best.safetensors, metrics.jsonl, samples/.

    Each node has a folder of its own, with the same in it; to go on, that of the first process is read.
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
        size, channels = catalogue.images.shape[1], catalogue.images.shape[3]
        check_fits(recipe, size, channels, len(catalogue), world_size())
        self.recipe, self.catalogue, self.folder, self.device = recipe, catalogue, folder, device
        self.step, self.best, self.was_lively, self.returns = 0, float("inf"), False, 0
        self.data = digest(catalogue)
        self._refuse_freezing(source)
        torch.manual_seed(recipe.seed)
        self.method = set_up(recipe, catalogue.schema(), size, channels, device, source)
        self.ema = Ema(self.method.generator, recipe.ema)
        for module in self.method.modules.values():
            span_the_world(module)
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
        begin = self.step * self.method.batches
        losses = self.method.step([self.batches[begin + k] for k in range(self.method.batches)], progress)
        self.ema.update(self.method.generator, self.step)
        self.step += 1
        return losses

    def train(self, report: Report, stopping: Callable[[], bool]) -> None:
        """Go on to the recipe's last step, or until ``stopping()``; ``report`` hears of some steps.

        Raises Diverged, Collapsed or Dead, the run taken back to where it was well.
        """
        review = Review(self, EVALUATED)
        if not first(self.checkpoint_file.exists):
            self._share()
            self.save()  # something to return to
            if writes():
                self.best_file.unlink(missing_ok=True)
        for path in (self.checkpoint_file, self.best_file, self.metrics.path, self.folder / CLASSIFIER):
            mirror(path)
        if writes():
            self.metrics.forget_after(self.step)
        try:
            self._train(review, report, stopping)
        finally:
            self.metrics.close()

    def _train(self, review: Review, report: Report, stopping: Callable[[], bool]) -> None:
        recipe, clock = self.recipe, Clock(self.images)
        while self.step < recipe.steps:
            stop, late = any_of(stopping(), clock.is_late)
            if stop:
                break
            losses = self.advance()
            last = self.step == recipe.steps
            looking, due = self.step % LOOK_EVERY == 0 or last, self._is_due(last)
            numbers = _averaged(losses) if looking or due or late else {}
            if not all_finite(numbers) or (due and any_of(not self._is_well())[0]):
                self._return()
                clock.restart(self.images)
                continue
            dead = (looking or due) and is_dead(self, numbers)
            if dead and (last or (looking and was_blind(self))):
                raise Dead(self.step, self._back_to_best())
            if looking or late:
                numbers["images_per_second"] = clock.rate(self.images)
            if looking:
                clock.restart(self.images)
                self._record(numbers, report)
            elif late:
                report(self.step, numbers)
            if self.step % recipe.sample_every == 0 or last:
                review.draw()
            if self.step % recipe.evaluate_every == 0 or last:
                scores = review.scores()
                self._record(scores, report)
                self._keep_or_stop(scores, dead=dead)
            if self.step % recipe.checkpoint_every == 0 and not dead:
                self.save()
        if self._is_well():
            self.save()

    def _share(self) -> None:
        """Begin with the first process's weights, however each came by its own."""
        for part in [*self.method.modules.values(), self.ema.model]:
            share([*part.parameters(), *part.buffers()])

    def _is_due(self, last: bool) -> bool:
        recipe = self.recipe
        every = (recipe.sample_every, recipe.evaluate_every, recipe.checkpoint_every)
        return last or any(self.step % steps == 0 for steps in every)

    def _is_well(self) -> bool:
        """Whether every weight is a number: what is kept or judged must be."""
        parts = [*self.method.modules.values(), self.ema.model]
        return all(bool(p.isfinite().all()) for part in parts for p in part.parameters())

    def _record(self, numbers: dict[str, float], report: Report) -> None:
        if writes():
            self.metrics.write(self.step, self.images, numbers)
        report(self.step, numbers)

    def _keep_or_stop(self, scores: dict[str, float], *, dead: bool) -> None:
        """Keep the run as it is at its best step; raises Collapsed, and takes it back there, if it fell."""
        collapsed = looks_collapsed(scores, self.best, was_lively=self.was_lively)
        self.was_lively |= is_lively(scores)
        if scores["domain_fid"] < self.best and not dead:
            self.best, self.returns = scores["domain_fid"], 0
            if writes():
                state = {"step": self.step, "images": self.images, "scores": scores, "run": state_of(self)}
                checkpoint.save(self.best_file, state)
        elif collapsed and (best := self._back_to_best()) is not None:
            raise Collapsed(self.step, scores, best)

    def _back_to_best(self) -> int | None:
        """Let the run go on from its best step, if it has one -> that step."""
        content = read(self.best_file)
        if content is None:
            return None
        state = checkpoint.decode(content, self.best_file)
        if writes():
            checkpoint.save(self.checkpoint_file, state["run"])
        return int(state["step"])

    def _return(self) -> None:
        """Back to the last checkpoint, and on by another path; a run that diverges again and again ends."""
        diverged, best, self.returns = self.step, self.best, self.returns + 1
        if self.returns > RETURNS or not self.resume(keep_random=False):
            raise Diverged(diverged)
        self.best = best  # whose file is still there
        if writes():
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

    def save(self) -> None:
        """Write the checkpoint."""
        if writes():
            checkpoint.save(self.checkpoint_file, state_of(self))

    def resume(self, *, keep_random: bool = True) -> bool:
        """Go on from the folder's checkpoint, if there is one, with the numbers of an uninterrupted run.

        Without ``keep_random`` the run goes on with other random numbers. Raises ProdgenError if the
        checkpoint cannot be read, or was made under a recipe, or from data, that would give other numbers.
        """
        content = read(self.checkpoint_file)
        if content is None:
            return False
        state = checkpoint.decode(content, self.checkpoint_file)
        go_on_from(self, state, self.checkpoint_file, keep_random=keep_random)
        return True

    @property
    def on_cuda(self) -> bool:
        """Whether it trains on a GPU."""
        return torch.device(self.device).type == "cuda"

    def _refuse_freezing(self, source: Source | None) -> None:
        if not getattr(self.recipe, "freeze", 0) or (source and source.discriminator):
            return
        if not first(self.checkpoint_file.exists):
            raise ProdgenError(
                "freeze keeps what a discriminator has learnt; begin --from the folder of a run that has one",
                param="freeze",
            )


def _averaged(losses: Losses) -> dict[str, float]:
    """What is reported of a step, over the images of all processes."""
    return dict(
        zip(losses, mean(torch.stack([loss.float() for loss in losses.values()])).tolist(), strict=True)
    )
