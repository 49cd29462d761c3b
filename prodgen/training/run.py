"""A training run: the networks, a step of them, and what is kept of it in its folder.

It may be one process's or that of many (`prodgen.training.distributed.world`), which all do the same, each with its rows
of a batch: the recipe's batch is that of all together, and the numbers are the same whatever their number.
"""

from pathlib import Path

import torch

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.training import checkpoint
from prodgen.training.batches import Batches
from prodgen.training.distributed.batch_norm import span_the_world
from prodgen.training.distributed.exchange import first, read
from prodgen.training.distributed.world import size as world_size
from prodgen.training.distributed.world import writes
from prodgen.training.ema import Ema
from prodgen.training.methods.method import Losses
from prodgen.training.methods.rates import set_rates
from prodgen.training.methods.setup import set_up
from prodgen.training.methods.transfer import Source
from prodgen.training.recipes.fits import check_fits, check_freeze
from prodgen.training.recipes.recipe import Recipe
from prodgen.training.state import go_on_from, state_of
from prodgen.training.watch.metrics import Metrics


class Run:
    """One run, in its folder: checkpoint.safetensors, best.safetensors, metrics.jsonl, samples/.

    Each node has a folder of its own, with the same in it; to go on, that of the first process is read.
    ``source``: what a run that is not resumed begins with. ``head_start``: first steps, in which the
    discriminator learns alone.
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
        self.step, self.best, self.was_lively = 0, float("inf"), False
        self.data = digest(catalogue)
        if not first(self.checkpoint_file.exists):
            check_freeze(recipe, learnt=bool(source and source.discriminator))
        torch.manual_seed(recipe.seed)
        self.method = set_up(recipe, catalogue.schema(), size, channels, device, source)
        self.head_start = 0
        if source and not source.discriminator and "discriminator" in self.method.modules:
            self.head_start = round(recipe.head_start * recipe.steps)
        self.ema = Ema(self.method.generator, recipe.ema, trained=source is not None)
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
        progress, self.method.alone = self.step / self.recipe.steps, self.step < self.head_start
        set_rates(self.method.optimizers.values(), self.recipe, self.step)
        begin = self.step * self.method.batches
        losses = self.method.step([self.batches[begin + k] for k in range(self.method.batches)], progress)
        self.ema.update(self.method.generator, self.step)
        self.step += 1
        return losses

    def is_well(self) -> bool:
        """Whether every weight is a number: what is kept or judged must be."""
        parts = [*self.method.modules.values(), self.ema.model]
        return all(bool(p.isfinite().all()) for part in parts for p in part.parameters())

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
