"""A resumed training gives the numbers of an uninterrupted one."""

import pytest
import torch

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.models.saved import FAMILIES
from tests.training.conftest import never, quiet
from tests.training.test_families import RECIPES


def weights(trainer):
    state = trainer.state
    return {
        f"{kind}.{name}": tensor
        for kind, part in [*state.method.modules.items(), ("ema", state.ema.model)]
        for name, tensor in part.state_dict().items()
    }


def metrics(trainer):
    clocks = ("time", "images_per_second")
    return [{k: v for k, v in line.items() if k not in clocks} for line in trainer.metrics.read()]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_resumed_training_gives_the_numbers_of_an_uninterrupted_one(make_trainer, family):
    whole = make_trainer("whole", family=family, **RECIPES[family])
    whole.train(quiet, never)

    first = make_trainer("parts", family=family, **RECIPES[family])
    first.train(quiet, lambda: first.state.step == 3)
    assert first.state.step == 3
    torch.manual_seed(99)
    second = make_trainer("parts", family=family, **RECIPES[family])
    assert second.resume()
    second.train(quiet, never)

    expected, got = weights(whole), weights(second)
    assert [name for name in expected if not torch.equal(expected[name], got[name])] == []
    assert metrics(whole) == metrics(second)


def test_a_resumed_optimizer_has_the_memory_format_of_its_weights(make_trainer):
    trainer = make_trainer(family="resnet")
    trainer.train(quiet, lambda: trainer.state.step == 2)
    again = make_trainer(family="resnet")
    assert again.resume()
    [*layouts] = {
        (weight.stride(), moments["exp_avg"].stride())
        for optimizer in again.state.method.optimizers.values()
        for weight, moments in optimizer.state.items()
    }
    assert len(layouts) > 4
    assert all(weight == moments for weight, moments in layouts)


def test_a_training_resumes_with_lower_rates(make_trainer):
    trainer = make_trainer(decay=0.0)
    trainer.train(quiet, lambda: trainer.state.step == 3)
    again = make_trainer(decay=0.0, generator_lr=1e-5)
    assert again.resume()
    again.state.advance()
    assert again.state.method.optimizers["generator"].param_groups[0]["lr"] == 1e-5


def test_a_training_does_not_resume_with_other_data(make_trainer, catalogue):
    trainer = make_trainer()
    trainer.train(quiet, lambda: trainer.state.step == 3)
    other = Catalogue(255 - catalogue.images, catalogue.labels, catalogue.values)
    with pytest.raises(ProdgenError, match="was trained on other data"):
        make_trainer(data=other).resume()


def test_a_training_does_not_resume_with_another_recipe(make_trainer):
    trainer = make_trainer()
    trainer.train(quiet, lambda: trainer.state.step == 2)
    with pytest.raises(ProdgenError, match=r"was made with ema = 0.999, not 0.9; resume it with the same"):
        make_trainer(ema=0.9).resume()
    assert make_trainer(steps=9).resume()


def test_a_broken_checkpoint_is_refused_and_not_overwritten(make_trainer):
    trainer = make_trainer()
    trainer.folder.mkdir()
    trainer.checkpoint_file.write_bytes(b"not a checkpoint")
    with pytest.raises(ProdgenError, match="is not a checkpoint that can be resumed"):
        trainer.resume()
    assert trainer.checkpoint_file.read_bytes() == b"not a checkpoint"
