"""A training notices that its discriminator has stopped learning."""

import pytest

from prodgen.models.saved import FAMILIES
from prodgen.training.methods.objectives import LOSSES
from prodgen.training.watch import alarms
from prodgen.training.watch.alarms import Dead
from tests.training.conftest import never, quiet
from tests.training.test_families import RECIPES

WITH_DISCRIMINATOR = [family for family in FAMILIES if family != "vae"]
ABSURD = {"discriminator_lr": 0.9, "steps": 60, "evaluate_every": 100, "decay": 0.0}
PENALTY = {"wasserstein": {"gradient_penalty": 10.0}}


@pytest.fixture(autouse=True)
def ever_better_scores(monkeypatch):
    remaining = iter(range(100, 0, -1))
    monkeypatch.setattr(
        "prodgen.training.watch.review.Judge", lambda *_: lambda *_: {"domain_fid": next(remaining)}
    )


def kill_after(trainer, steps):
    """Return a report that makes all units of the discriminator dead in the step after each of ``steps``."""
    discriminator = trainer.state.method.modules["discriminator"]
    hooks = []

    def report(step, numbers):
        while hooks:
            hooks.pop().remove()
        if step in steps:
            hooks.append(discriminator.body.register_forward_hook(lambda *call: call[-1] - 1e9))

    return report


@pytest.mark.parametrize("family", WITH_DISCRIMINATOR)
def test_a_dead_discriminator_stops_the_training_and_resets_it_to_its_best_step(make_trainer, family):
    recipe = {"family": family, **RECIPES[family], "evaluate_every": 2}
    trainer = make_trainer(**recipe)

    with pytest.raises(Dead, match=r"dead at step [45]: .* best step, 2: lower discriminator_lr"):
        trainer.train(kill_after(trainer, range(3, 9)), never)

    again = make_trainer(**recipe)
    assert again.resume()
    assert (again.state.step, again.state.best_fid) == (2, 100)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_dead_discriminator_is_found_under_every_loss(make_trainer, loss):
    trainer = make_trainer(loss=loss, **PENALTY.get(loss, {}))
    with pytest.raises(Dead):
        trainer.train(kill_after(trainer, range(3, 9)), never)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_living_discriminator_is_not_taken_for_dead_under_any_loss(make_trainer, loss):
    trainer = make_trainer(loss=loss, steps=12, **PENALTY.get(loss, {}))
    trainer.train(quiet, never)
    assert trainer.state.step == 12


def test_without_an_evaluation_the_training_is_reset_to_its_last_checkpoint(make_trainer):
    trainer = make_trainer(evaluate_every=100, checkpoint_every=1)
    with pytest.raises(Dead, match="the training is back at its last checkpoint: lower discriminator_lr"):
        trainer.train(kill_after(trainer, range(3, 9)), never)
    again = make_trainer(evaluate_every=100, checkpoint_every=1)
    assert again.resume()
    assert again.state.step == 3


def test_one_dead_batch_does_not_stop_the_training(make_trainer):
    trainer = make_trainer(steps=20, discriminator_lr=2e-3)
    trainer.train(kill_after(trainer, [15]), never)
    losses = {line["step"]: line["discriminator"] for line in trainer.metrics.read() if "generator" in line}
    assert losses[15] < 1.9
    assert losses[16] == pytest.approx(2.0, abs=1e-3)


def test_a_discriminator_that_dies_in_the_last_step_is_found(make_trainer):
    trainer = make_trainer(steps=20, discriminator_lr=2e-3)
    with pytest.raises(Dead, match="at step 20"):
        trainer.train(kill_after(trainer, [19]), never)


def test_a_discriminator_that_wins_is_not_dead(make_trainer):
    trainer = make_trainer(discriminator_lr=0.01, steps=30, decay=0.0)
    discriminator, learns = trainer.state.method.modules["discriminator"], []
    trainer.train(lambda *_: learns.append(alarms._learns(discriminator)), never)
    assert trainer.state.step == 30
    assert not all(learns), "at this rate the discriminator must win"


def test_an_absurd_rate_kills_at_the_same_step_after_a_resume(make_trainer):
    whole = make_trainer("whole", **ABSURD)
    with pytest.raises(Dead) as dead:
        whole.train(quiet, never)

    parts = make_trainer("parts", **ABSURD)
    parts.train(quiet, lambda: parts.state.step == whole.state.step - 1)
    again = make_trainer("parts", **ABSURD)
    assert again.resume()
    with pytest.raises(Dead) as dead_again:
        again.train(quiet, never)

    assert str(dead_again.value) == str(dead.value)
