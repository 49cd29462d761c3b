"""The way of a run to its last step: watched, judged, kept, and taken back when something goes wrong."""

from collections.abc import Callable

import torch

from prodgen.reproducible import reproducible
from prodgen.training import checkpoint
from prodgen.training.clock import Clock
from prodgen.training.distributed.exchange import any_of, first, mean, mirror, read, share
from prodgen.training.distributed.world import writes
from prodgen.training.methods.method import Losses
from prodgen.training.run import Run
from prodgen.training.state import state_of
from prodgen.training.watch.alarms import (
    Collapsed,
    Dead,
    Diverged,
    all_finite,
    is_dead,
    is_lively,
    looks_collapsed,
    was_blind,
)
from prodgen.training.watch.judge import CLASSIFIER, EVALUATED
from prodgen.training.watch.review import Review

LOOK_EVERY = 50
"""Steps between two looks at the losses: each look waits for the device."""
RETURNS = 3
"""Returns to the last checkpoint before a run that diverges is given up."""

Report = Callable[[int, dict[str, float]], None]


def train_run(run: Run, report: Report, stopping: Callable[[], bool]) -> None:
    """Go on to the recipe's last step, or until ``stopping()``; ``report`` hears of some steps.

    Raises Diverged, Collapsed or Dead, the run taken back to where it was well.
    """
    loop = _Loop(run, report)
    if not first(run.checkpoint_file.exists):
        for part in [*run.method.modules.values(), run.ema.model]:  # the first process's, however each began
            share([*part.parameters(), *part.buffers()])
        run.save()  # something to return to
        if writes():
            run.best_file.unlink(missing_ok=True)
    for path in (run.checkpoint_file, run.best_file, run.metrics.path, run.folder / CLASSIFIER):
        mirror(path)
    if writes():
        run.metrics.forget_after(run.step)
    try:
        with reproducible():
            loop.go(stopping)
    finally:
        run.metrics.close()


class _Loop:
    def __init__(self, run: Run, report: Report) -> None:
        self.run, self.report, self.returns = run, report, 0
        self.review = Review(run, EVALUATED)

    def go(self, stopping: Callable[[], bool]) -> None:
        run, recipe = self.run, self.run.recipe
        clock = Clock(run.images)
        while run.step < recipe.steps:
            stop, late = any_of(stopping(), clock.is_late)
            if stop:
                break
            losses = run.advance()
            last = run.step == recipe.steps
            looking, due = run.step % LOOK_EVERY == 0 or last, self._is_due(last)
            numbers = _averaged(losses) if looking or due or late else {}
            if not all_finite(numbers) or (due and any_of(not run.is_well())[0]):
                self._return()
                clock.restart(run.images)
                continue
            dead = (looking or due) and is_dead(run, numbers)
            if dead and (last or (looking and was_blind(run))):
                raise Dead(run.step, self._back_to_best())
            if looking or late:
                numbers["images_per_second"] = clock.rate(run.images)
            if looking:
                clock.restart(run.images)
                self._record(numbers)
            elif late:
                self.report(run.step, numbers)
            if run.step % recipe.sample_every == 0 or last:
                self.review.draw()
            if run.step % recipe.evaluate_every == 0 or last:
                scores = self.review.scores()
                self._record(scores)
                if run.step > run.head_start:  # until then it is the source that is judged
                    self._keep_or_stop(scores, dead=dead)
            if run.step % recipe.checkpoint_every == 0 and not dead:
                run.save()
        if run.is_well():
            run.save()

    def _is_due(self, last: bool) -> bool:
        recipe = self.run.recipe
        every = (recipe.sample_every, recipe.evaluate_every, recipe.checkpoint_every)
        return last or any(self.run.step % steps == 0 for steps in every)

    def _record(self, numbers: dict[str, float]) -> None:
        if writes():
            self.run.metrics.write(self.run.step, self.run.images, numbers)
        self.report(self.run.step, numbers)

    def _keep_or_stop(self, scores: dict[str, float], *, dead: bool) -> None:
        """Keep the run as it is at its best step; raises Collapsed, and takes it back there, if it fell."""
        run = self.run
        collapsed = looks_collapsed(scores, run.best, was_lively=run.was_lively)
        run.was_lively |= is_lively(scores)
        if scores["domain_fid"] < run.best and not dead:
            run.best, self.returns = scores["domain_fid"], 0
            if writes():
                state = {"step": run.step, "images": run.images, "scores": scores, "run": state_of(run)}
                checkpoint.save(run.best_file, state)
        elif collapsed and (best := self._back_to_best()) is not None:
            raise Collapsed(run.step, scores, best)

    def _back_to_best(self) -> int | None:
        """Let the run go on from its best step, if it has one -> that step."""
        content = read(self.run.best_file)
        if content is None:
            return None
        state = checkpoint.decode(content, self.run.best_file)
        if writes():
            checkpoint.save(self.run.checkpoint_file, state["run"])
        return int(state["step"])

    def _return(self) -> None:
        """Back to the last checkpoint, and on by another path; a run that diverges again and again ends."""
        run, diverged, best = self.run, self.run.step, self.run.best
        self.returns += 1
        if self.returns > RETURNS or not run.resume(keep_random=False):
            raise Diverged(diverged)
        run.best = best  # whose file is still there
        if writes():
            run.metrics.forget_after(run.step)


def _averaged(losses: Losses) -> dict[str, float]:
    """What is reported of a step, over the images of all processes."""
    means = mean(torch.stack([loss.float() for loss in losses.values()]))
    return dict(zip(losses, means.tolist(), strict=True))
