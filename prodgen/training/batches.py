"""The batches of a run: each a function of the seed and its number, so that a resumed run sees the same."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.classifier import to_tensor
from prodgen.training.augment import Augment


@dataclass(frozen=True)
class Batch:
    """``real``: (B, C, H, W) in [-1, 1]; ``condition``: (B, D), zeros where a value is left out."""

    real: Tensor
    condition: Tensor

    def split(self, parts: int) -> list["Batch"]:
        """Equal parts, whose gradients add up to the whole's."""
        pairs = zip(self.real.chunk(parts), self.condition.chunk(parts), strict=True)
        return [Batch(real, condition) for real, condition in pairs]


class Batches:
    """Numbered batches of a catalogue, each epoch in an order of its own.

    ``drop``: how often each attribute is left out, so that the networks also learn to do without it.
    ``transform``: what is done to the training images themselves.
    """

    def __init__(
        self, catalogue: Catalogue, batch: int, seed: int, device: str, drop: float, transform: Augment
    ) -> None:
        self._images = torch.from_numpy(catalogue.images)
        self._conditions = torch.from_numpy(catalogue.hot())
        self._blocks = [len(values) for values in catalogue.values.values()]
        self._batch, self._seed, self._device, self._drop = batch, seed, device, drop
        self._transform = transform.to(device)
        self._order = lru_cache(1)(self._shuffled)

    def __getitem__(self, number: int) -> Batch:
        rows = self._rows(number)
        real = to_tensor(self._images[rows]).to(self._device, memory_format=torch.channels_last)
        return Batch(self._transform(real), self._dropped(self._conditions[rows]).to(self._device))

    def conditions(self, count: int) -> Tensor:
        """Conditions as they occur in the catalogue, (count, D), drawn from torch's random state."""
        rows = torch.randint(len(self._conditions), (count,))
        return self._conditions[rows].to(self._device)

    def _rows(self, number: int) -> Tensor:
        epoch, position = divmod(number, len(self._images) // self._batch)
        return self._order(epoch)[position * self._batch : (position + 1) * self._batch]

    def _shuffled(self, epoch: int) -> Tensor:
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._images))
        return torch.from_numpy(order)

    def _dropped(self, condition: Tensor) -> Tensor:
        if not self._drop or not self._blocks:
            return condition
        kept = torch.rand(len(condition), len(self._blocks)) >= self._drop
        return condition * kept.repeat_interleave(torch.tensor(self._blocks), 1)
