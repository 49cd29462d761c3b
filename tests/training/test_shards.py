"""What a user would lose: images seen twice and never, when processes share a batch."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from prodgen.training.distributed import world
from prodgen.training.methods import augment
from prodgen.training.methods.augment import AUGMENTATIONS, Augment
from tests.training.test_recolour import catalogue

SIZE = 4


@pytest.fixture
def everyone(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Tensor]], Tensor]:
    """What four processes make one after the other, each row where it belongs in the whole."""

    def gather(make: Callable[[], Tensor]) -> Tensor:
        parts = []
        for rank in range(SIZE):
            monkeypatch.setattr(world, "rank", lambda rank=rank: rank)
            for module in (world, augment):
                monkeypatch.setattr(module, "world_size", lambda: SIZE)
            parts.append(make())
        monkeypatch.undo()
        return torch.stack(parts, 1).flatten(0, 1)

    return gather


def test_processes_share_out_a_batch_and_all_that_is_drawn_for_it(make_trainer, everyone):
    trainer = make_trainer(data=catalogue(), recolour=0.6, transform="flip,rotation", drop=0.4, accumulate=2)

    def seen(what: str, part: int | None = None) -> Tensor:
        torch.manual_seed(7)
        batch = trainer.state.batches[1]
        return getattr(batch if part is None else batch.split(2)[part], what)

    for what in ("real", "condition"):
        for part in (None, 0, 1):
            whole = seen(what, part)
            together = everyone(lambda what=what, part=part: seen(what, part))
            assert torch.allclose(together, whole, atol=1e-6)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_augmentation_is_drawn_for_all(everyone, name):
    step = Augment(name, 3)
    step.strength.fill_(0.7)
    real, fake = torch.rand(2, 8, 3, 16, 16) * 2 - 1

    def seen() -> Tensor:
        torch.manual_seed(3)
        return step(torch.cat([world.shard(real), world.shard(fake)]))

    assert torch.allclose(everyone(seen), seen(), atol=1e-6)
