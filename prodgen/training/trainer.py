"""The training loop: step, log, sample, evaluate, keep the best, save checkpoints, and stop on an alarm."""

import math
from collections.abc import Callable
from pathlib import Path

import torch

from prodgen.catalog.catalogue import Catalogue
from prodgen.reproducible import reproducible
from prodgen.training import checkpoint
from prodgen.training.distributed import collectives
from prodgen.training.distributed.world import local_rank
from prodgen.training.methods.method import Losses
from prodgen.training.methods.setup import Pretrained
from prodgen.training.recipes.checks import check_freeze
from prodgen.training.recipes.recipe import Recipe
from prodgen.training.state import TrainingState
from prodgen.training.watch import alarms
from prodgen.training.watch.judge import CLASSIFIER
from prodgen.training.watch.metrics import RATE, Metrics, Throughput
from prodgen.training.watch.review import Review

LOG_EVERY = 50
"""Steps between log entries. Not every step is logged: reading the losses must wait for the device."""
MAX_RETURNS = 3
"""How often a diverged training returns to the last checkpoint before it is stopped."""

Report = Callable[[int, dict[str, float]], None]


class Trainer:
    """Trains a model in a folder: checkpoint.safetensors, best.safetensors, metrics.jsonl and samples/.

    Each of several processes runs this loop on its shard of each batch. Each node has its own folder with the
    same content; a training resumes from rank 0's folder.
    """

    def __init__(
        self,
        recipe: Recipe,
        catalogue: Catalogue,
        folder: Path,
        device: str,
        pretrained: Pretrained | None = None,
    ) -> None:
        self.folder = folder
        self.checkpoint_file, self.best_file = folder / checkpoint.CHECKPOINT, folder / checkpoint.BEST
        if not collectives.on_rank_zero(self.checkpoint_file.exists):
            check_freeze(recipe, has_discriminator=bool(pretrained and pretrained.discriminator))
        self.state = TrainingState(recipe, catalogue, device, pretrained)
        self.metrics = Metrics(folder)
        self._returns = 0

    def train(self, report: Report, should_stop: Callable[[], bool]) -> None:
        """Train to the recipe's last step, or until ``should_stop()`` is true, and save a checkpoint.

        Calls ``report(step, numbers)`` with the losses every 50 steps and every two seconds, and with the
        scores after each evaluation. Raises Diverged, Collapsed or Dead; the checkpoint is then the best or
        the last good one.
        """
        self._review = Review(self.state, self.folder)
        self._prepare_folder()
        try:
            with reproducible():
                self._loop(report, should_stop)
        finally:
            self.metrics.close()

    def _loop(self, report: Report, should_stop: Callable[[], bool]) -> None:
        state, recipe = self.state, self.state.recipe
        throughput = Throughput(state.images)
        while state.step < recipe.steps:
            stop, report_is_due = collectives.any_rank(should_stop(), throughput.is_report_due)
            if stop:
                break
            losses = state.advance()
            last = state.step == recipe.steps
            log, sample, evaluate, save = (
                last or state.step % every == 0
                for every in (LOG_EVERY, recipe.sample_every, recipe.evaluate_every, recipe.checkpoint_every)
            )
            needs_weights = sample or evaluate or save
            numbers = _averaged(losses) if log or needs_weights or report_is_due else {}
            finite = all(map(math.isfinite, numbers.values()))
            if not finite or (needs_weights and collectives.any_rank(not state.is_finite())[0]):
                self._return_to_checkpoint()
                throughput.restart(state.images)
                continue
            dead = (log or needs_weights) and alarms.is_dead(state, numbers)
            if dead and (last or (log and self._was_at_chance())):
                raise alarms.Dead(state.step, self._reset_checkpoint_to_best())
            if log or report_is_due:
                numbers[RATE] = throughput.rate(state.images)
            if log:
                throughput.restart(state.images)
                self._record(numbers, report)
            elif report_is_due:
                report(state.step, numbers)
            if sample:
                self._review.write_samples()
            if evaluate:
                scores = self._review.evaluate()
                self._record(scores, report)
                if state.step > state.head_start:  # before, the generator is still the pretrained one
                    self._keep_if_best(scores, dead=dead)
            if sample or evaluate:  # the rate is that of the steps alone
                throughput.restart(state.images)
            if save and not (dead or last):
                self.save()
        if state.is_finite():
            self.save()

    def _record(self, numbers: dict[str, float], report: Report) -> None:
        if local_rank() == 0:
            self.metrics.write(self.state.step, self.state.images, numbers)
        report(self.state.step, numbers)

    def _was_at_chance(self) -> bool:
        """Return whether the last log entry also shows the discriminator at chance. One batch may mislead."""
        logged = collectives.on_rank_zero(
            lambda: [line for line in self.metrics.read() if "discriminator" in line][-1:]
        )
        return bool(logged) and alarms.is_at_chance(self.state, logged[0])

    def _keep_if_best(self, scores: dict[str, float], *, dead: bool) -> None:
        """Write best.safetensors if the scores are the best yet. Raises Collapsed if they show a collapse."""
        state = self.state
        collapsed = alarms.looks_collapsed(scores, state.best_fid, was_diverse=state.was_diverse)
        state.was_diverse |= alarms.is_diverse(scores)
        score = scores[state.recipe.select.replace("-", "_")]
        if scores["domain_fid"] < state.best_fid and not dead:
            state.best_fid = scores["domain_fid"]
        if score < state.best_score and not dead:
            state.best_score, self._returns = score, 0
            if local_rank() == 0:
                about = {"step": state.step, "images": state.images, "scores": scores}
                checkpoint.save(self.best_file, {**about, "run": state.to_checkpoint()})
        elif collapsed and (best_step := self._reset_checkpoint_to_best()) is not None:
            raise alarms.Collapsed(state.step, scores, best_step)

    @property
    def is_evaluated(self) -> bool:
        """Whether an evaluation has saved a best step, which can be exported."""
        return self.best_file.exists()

    def save(self) -> None:
        """Write the state of the current step to checkpoint.safetensors."""
        if local_rank() == 0:
            checkpoint.save(self.checkpoint_file, self.state.to_checkpoint())

    def resume(self, *, keep_random: bool = True) -> bool:
        """Restore the state from the checkpoint, if there is one; return whether there is one."""
        content = collectives.read_on_rank_zero(self.checkpoint_file)
        if content is None:
            return False
        path = self.checkpoint_file
        self.state.restore(checkpoint.load(path, content), path, keep_random=keep_random)
        return True

    def _prepare_folder(self) -> None:
        """Copy the files of rank 0 to all nodes, and delete the metrics of steps after the current step.

        A new training first copies the weights of rank 0 to all processes and saves a checkpoint.
        """
        state = self.state
        if not collectives.on_rank_zero(self.checkpoint_file.exists):
            for network in [*state.method.modules.values(), state.ema.model]:
                collectives.broadcast([*network.parameters(), *network.buffers()])
            self.save()
            if local_rank() == 0:
                self.best_file.unlink(missing_ok=True)
        for path in (self.checkpoint_file, self.best_file, self.metrics.path, self.folder / CLASSIFIER):
            collectives.copy_to_nodes(path)
        if local_rank() == 0:
            self.metrics.truncate(state.step)

    def _reset_checkpoint_to_best(self) -> int | None:
        """Overwrite the checkpoint with the best step's state; return this step, or None if there is none."""
        content = collectives.read_on_rank_zero(self.best_file)
        if content is None:
            return None
        best = checkpoint.load(self.best_file, content)
        if local_rank() == 0:
            checkpoint.save(self.checkpoint_file, best["run"])
        return int(best["step"])

    def _return_to_checkpoint(self) -> None:
        """Return to the last checkpoint and draw other random numbers.

        Raises Diverged after `MAX_RETURNS` returns without a new best step, and if there is no checkpoint.
        """
        state, diverged_step = self.state, self.state.step
        best_fid, best_score = state.best_fid, state.best_score
        self._returns += 1
        if self._returns > MAX_RETURNS or not self.resume(keep_random=False):
            raise alarms.Diverged(diverged_step)
        state.best_fid, state.best_score = best_fid, best_score  # best.safetensors may be newer
        if local_rank() == 0:
            self.metrics.truncate(state.step)


def _averaged(losses: Losses) -> dict[str, float]:
    """Return the losses of a step, averaged over the images of all processes."""
    means = collectives.world_mean(torch.stack([loss.float() for loss in losses.values()]))
    return dict(zip(losses, means.tolist(), strict=True))
