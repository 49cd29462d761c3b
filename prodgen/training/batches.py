"""Batches of training images. The seed and the number of a batch decide which images the batch holds."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.evaluation.classifier import to_tensor
from prodgen.generation.recolour import recolour
from prodgen.spec.colour import LAB_CENTRE, LAB_SCALE
from prodgen.training.distributed.world import draw_shard, shard
from prodgen.training.methods.augment import Augment
from prodgen.training.recipes.recipe import Recipe

Rows = tuple[Tensor, Tensor]
"""Images (B, H, W, C) as bytes and their conditions (B, D), both on the CPU."""


@dataclass(frozen=True)
class Batch:
    """This process's part of a batch: ``real`` (B, C, H, W) in [-1, 1] and its ``condition`` (B, D).

    B is the number of this process's images. The columns of an attribute that the recipe's ``drop`` left out
    are zero in the condition.
    """

    real: Tensor
    condition: Tensor

    def split(self, parts: int) -> list["Batch"]:
        """Split the batch into equal parts. The mean of the parts' losses is the loss of the batch."""
        pairs = zip(self.real.chunk(parts), self.condition.chunk(parts), strict=True)
        return [Batch(real, condition) for real, condition in pairs]


class Batches:
    """The images of a catalogue in numbered batches, shuffled anew in each epoch.

    The recipe's keys ``drop`` (leaves out attributes), ``recolour`` and ``transform`` (change images) draw
    random numbers from torch's random state. For a GPU, a thread reads the next batch into pinned memory in
    advance.
    """

    def __init__(self, catalogue: Catalogue, recipe: Recipe, device: str) -> None:
        if recipe.recolour and not (catalogue.colours and catalogue.images.shape[3] == 4):
            raise ProdgenError("recolour is for cut-outs with a known colour; leave it out", param="recolour")
        self._images = torch.from_numpy(catalogue.images)
        self._conditions = torch.from_numpy(catalogue.conditions())
        self._column_counts = [len(attribute.columns()) for attribute in catalogue.schema().attributes]
        self._lab = torch.from_numpy(next(iter(catalogue.colours.values()), np.zeros((0, 3), np.float32)))
        self._lab_column = sum(map(len, catalogue.values.values()))  # first column of the first colour
        self._batch, self._seed, self._device = recipe.batch, recipe.seed, device
        self._drop, self._recolour = recipe.drop, recipe.recolour
        self._transform = Augment(recipe.transform, catalogue.images.shape[3], recipe.ground).to(device)
        self._order = lru_cache(1)(self._shuffled)
        self._pin = torch.device(device).type == "cuda"
        self._fetch = Prefetcher(self._read) if self._pin else self._read

    def __getitem__(self, number: int) -> Batch:
        images, condition = (part.to(self._device, non_blocking=True) for part in self._fetch(number))
        real = to_tensor(images).contiguous(memory_format=torch.channels_last)
        if self._recolour:
            real, condition = self._recoloured(real, condition)
        return Batch(self._transform(real), self._dropped(condition))

    def conditions(self, count: int) -> Tensor:
        """Return the conditions (count, D) of random images of the catalogue, by torch's random state."""
        rows = torch.randint(len(self._conditions), (count,))
        return self._conditions[rows].to(self._device)

    def _read(self, number: int) -> Rows:
        epoch, position = divmod(number, len(self._images) // self._batch)
        rows = shard(self._order(epoch)[position * self._batch : (position + 1) * self._batch])
        images, conditions = self._images[rows], self._conditions[rows]
        return (images.pin_memory(), conditions.pin_memory()) if self._pin else (images, conditions)

    def _shuffled(self, epoch: int) -> Tensor:
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._images))
        return torch.from_numpy(order)

    def _recoloured(self, real: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Give random images the colours of other random images, and adapt their conditions.

        An image stays unchanged if its own colour or the other colour is unknown.
        """
        wanted = self._lab[shard(torch.randint(len(self._lab), (self._batch,)))].to(real.device)
        chosen = draw_shard(torch.rand, len(real), device=real.device) < self._recolour
        chosen &= (condition[:, self._lab_column + 3] > 0) & ~wanted.isnan().any(1)
        real, lab = recolour(real, wanted.nan_to_num(), chosen)
        encoded = (lab - lab.new_tensor(LAB_CENTRE)) / LAB_SCALE
        condition = condition.clone()
        condition[chosen, self._lab_column : self._lab_column + 3] = encoded[chosen]
        return real, condition

    def _dropped(self, condition: Tensor) -> Tensor:
        if not self._drop or not self._column_counts:
            return condition
        kept = draw_shard(torch.rand, len(condition), len(self._column_counts), device="cpu") >= self._drop
        columns = kept.repeat_interleave(torch.tensor(self._column_counts), 1)
        return condition * columns.to(condition.device)


class Prefetcher:
    """Returns ``read(number)`` when called with a number, and reads ``number + 1`` in advance in a thread."""

    def __init__(self, read: Callable[[int], Rows]) -> None:
        self._read, self._thread = read, ThreadPoolExecutor(1, "prefetch")
        self._ahead: tuple[int, Future[Rows]] | None = None

    def __call__(self, number: int) -> Rows:
        is_ahead = self._ahead is not None and self._ahead[0] == number
        result = self._ahead[1].result() if is_ahead else self._read(number)
        self._ahead = number + 1, self._thread.submit(self._read, number + 1)
        return result
