"""Looking at what a run has learnt: scores and samples of the averaged generator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prodgen.training.distributed.exchange import first, share
from prodgen.training.distributed.world import rank, writes
from prodgen.training.watch.grid import write_grid
from prodgen.training.watch.judge import Judge

if TYPE_CHECKING:
    from prodgen.training.run import Run

SAMPLED = 1000
"""Images of which the batch statistics of a grid of samples are."""


class Review:
    """The first process judges, by so many ``images``; the others take its word, and its batch statistics."""

    def __init__(self, run: "Run", images: int) -> None:
        self.run, self.images = run, images
        self._judge: Judge | None = None
        first(self._appoint)

    def _appoint(self) -> None:
        run = self.run
        self._judge = Judge(run.catalogue, run.data, run.folder, run.device)

    def scores(self) -> dict[str, float]:
        """What `Judge` says, on every process."""

        def judged() -> dict[str, float]:
            run = self.run
            with self._other_numbers(1):
                conditions = run.batches.conditions(self.images)
                run.ema.settle(self._latents(self.images), conditions, 100)
                return self._judge(run.ema.model, self._latents(self.images), conditions)

        scores = first(judged)
        share(self.run.ema.model.buffers())
        return scores

    def draw(self) -> None:
        """Write the step's grid of samples."""
        run = self.run
        if rank() == 0:
            with self._other_numbers(2):
                run.ema.settle(self._latents(SAMPLED), run.batches.conditions(SAMPLED), 100)
        share(run.ema.model.buffers())
        if writes():
            write_grid(run.ema.model, run.folder / "samples" / f"{run.step:07d}.png", run.recipe.seed)

    @contextmanager
    def _other_numbers(self, stream: int) -> Iterator[None]:
        """Random numbers of a stream of its own within the block, always the same; the run keeps its own."""
        with torch.random.fork_rng(devices=[self.run.device] if self.run.on_cuda else []):
            torch.manual_seed(self.run.recipe.seed + stream)
            yield

    def _latents(self, count: int) -> Tensor:
        return torch.randn(count, self.run.method.generator.latent_dim, device=self.run.device)
