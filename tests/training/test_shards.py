"""Processes share the images, and each image is seen once."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from prodgen.training.distributed import world
from prodgen.training.methods import augment
from prodgen.training.methods.augment import AUGMENTATIONS, Augment
from tests.training.test_recolour import catalogue

WORLD_SIZE = 4


@pytest.fixture
def all_ranks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Tensor]], Tensor]:
    """Call a function as each of four ranks; return their rows in the order of the whole batch."""

    def gather(make: Callable[[], Tensor]) -> Tensor:
        parts = []
        for rank in range(WORLD_SIZE):
            monkeypatch.setattr(world, "rank", lambda rank=rank: rank)
            for module in (world, augment):
                monkeypatch.setattr(module, "world_size", lambda: WORLD_SIZE)
            parts.append(make())
        monkeypatch.undo()
        return torch.stack(parts, 1).flatten(0, 1)

    return gather


def test_the_shards_of_all_processes_are_the_whole_batch(make_trainer, all_ranks):
    recipe = {"recolour": 0.6, "transform": "flip,rotation", "drop": 0.4, "accumulate": 2}
    batches = make_trainer(data=catalogue(), **recipe).state.batches

    def rows(field: str, part: int | None) -> Tensor:
        torch.manual_seed(7)
        batch = batches[1]
        return getattr(batch if part is None else batch.split(2)[part], field)

    for field in ("real", "condition"):
        for part in (None, 0, 1):
            shards = all_ranks(lambda field=field, part=part: rows(field, part))
            assert torch.allclose(shards, rows(field, part), atol=1e-6)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_shards_of_an_augmented_batch_are_the_whole_batch(all_ranks, name):
    step = Augment(name, 3)
    step.strength.fill_(0.7)
    real, fake = torch.rand(2, 8, 3, 16, 16) * 2 - 1

    def augmented() -> Tensor:
        torch.manual_seed(3)
        return step(torch.cat([world.shard(real), world.shard(fake)]))

    assert torch.allclose(all_ranks(augmented), augmented(), atol=1e-6)
