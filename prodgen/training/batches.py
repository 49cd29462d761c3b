"""The batches of a run: each a function of the seed and its number, so that a resumed run sees the same."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.evaluation.classifier import to_tensor
from prodgen.spec.colour import LAB_CENTRE, LAB_SCALE
from prodgen.training.distributed.world import drawn, mine
from prodgen.training.methods.augment import Augment
from prodgen.training.methods.recolour import recolour
from prodgen.training.recipes.recipe import Recipe


@dataclass(frozen=True)
class Batch:
    """``real``: (B, C, H, W) in [-1, 1]; ``condition``: (B, D), zeros where a value is left out.

    Of the images of a step, B are this process's.
    """

    real: Tensor
    condition: Tensor

    def split(self, parts: int) -> list["Batch"]:
        """Equal parts, whose gradients add up to the whole's."""
        pairs = zip(self.real.chunk(parts), self.condition.chunk(parts), strict=True)
        return [Batch(real, condition) for real, condition in pairs]


class Batches:
    """Numbered batches of a catalogue, each epoch in an order of its own.

    The recipe's ``drop`` leaves attributes out, ``recolour`` and ``transform`` change the images themselves.
    """

    def __init__(self, catalogue: Catalogue, recipe: Recipe, device: str) -> None:
        if recipe.recolour and not (catalogue.colours and catalogue.images.shape[3] == 4):
            raise ProdgenError(
                "recolour is for cut-outs of which the colour is known; leave it out", param="recolour"
            )
        self._images = torch.from_numpy(catalogue.images)
        self._conditions = torch.from_numpy(catalogue.conditions())
        self._blocks = [len(attribute.columns()) for attribute in catalogue.schema().attributes]
        self._lab = torch.from_numpy(next(iter(catalogue.colours.values()), np.zeros((0, 3), np.float32)))
        self._place = sum(map(len, catalogue.values.values()))  # of the first colour in a condition
        self._batch, self._seed, self._device = recipe.batch, recipe.seed, device
        self._drop, self._recolour = recipe.drop, recipe.recolour
        self._transform = Augment(recipe.transform, catalogue.images.shape[3], recipe.ground).to(device)
        self._order = lru_cache(1)(self._shuffled)

    def __getitem__(self, number: int) -> Batch:
        rows = mine(self._rows(number))
        real = to_tensor(self._images[rows].to(self._device)).contiguous(memory_format=torch.channels_last)
        condition = self._conditions[rows].to(self._device)
        if self._recolour:
            real, condition = self._recoloured(real, condition)
        return Batch(self._transform(real), self._dropped(condition))

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

    def _recoloured(self, real: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Some of the images in colours of others; a colour that is not known stays so."""
        wanted = self._lab[mine(torch.randint(len(self._lab), (self._batch,)))].to(real.device)
        chosen = drawn(torch.rand, len(real), device=real.device) < self._recolour
        chosen &= (condition[:, self._place + 3] > 0) & ~wanted.isnan().any(1)
        real, lab = recolour(real, wanted.nan_to_num(), chosen)
        told = (lab - lab.new_tensor(LAB_CENTRE)) / LAB_SCALE
        condition = condition.clone()
        condition[chosen, self._place : self._place + 3] = told[chosen]
        return real, condition

    def _dropped(self, condition: Tensor) -> Tensor:
        if not self._drop or not self._blocks:
            return condition
        kept = drawn(torch.rand, len(condition), len(self._blocks), device="cpu") >= self._drop
        return condition * kept.repeat_interleave(torch.tensor(self._blocks), 1).to(condition.device)
