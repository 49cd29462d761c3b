"""What a user would lose: the days in which a generator learns from a discriminator that sees nothing."""

import pytest

from prodgen.models.families import FAMILIES
from prodgen.training.methods.objectives import LOSSES
from prodgen.training.watch import alarms
from prodgen.training.watch.alarms import Dead
from tests.training.conftest import never, quiet
from tests.training.test_trainer import ALL

WITH_ONE = [family for family in FAMILIES if family != "vae"]
ABSURD = {"discriminator_lr": 0.9, "steps": 60, "evaluate_every": 100, "decay": 0.0}
PENALTY = {"wasserstein": {"gradient_penalty": 10.0}}


@pytest.fixture(autouse=True)
def judge(monkeypatch):
    """Who finds every step better than the last."""
    left = iter(range(100, 0, -1))
    monkeypatch.setattr(
        "prodgen.training.watch.review.Judge", lambda *_: lambda *_: {"domain_fid": next(left)}
    )


def kills(trainer, at):
    """What, told of a step, lets every unit of the discriminator die after some, whatever the image."""
    discriminator = trainer.state.method.modules["discriminator"]
    hooks = []

    def tell(step, numbers):
        while hooks:
            hooks.pop().remove()
        if step in at:
            hooks.append(discriminator.body.register_forward_hook(lambda *call: call[-1] - 1e9))

    return tell


@pytest.mark.parametrize("family", WITH_ONE)
def test_a_dead_discriminator_stops_the_run_and_takes_it_back_to_its_best_step(make_trainer, family):
    recipe = {"family": family, **ALL[family], "evaluate_every": 2}
    trainer = make_trainer(**recipe)

    with pytest.raises(Dead, match=r"dead at step [45]: .* best step, 2: lower discriminator_lr"):
        trainer.train(kills(trainer, range(3, 9)), never)

    again = make_trainer(**recipe)
    assert again.resume()
    assert (again.state.step, again.state.best_fid) == (2, 100)


@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_told_under_every_loss(make_trainer, loss):
    trainer = make_trainer(loss=loss, **PENALTY.get(loss, {}))
    with pytest.raises(Dead):
        trainer.train(kills(trainer, range(3, 9)), never)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_loss_of_a_living_one_is_taken_for_it(make_trainer, loss):
    trainer = make_trainer(loss=loss, steps=12, **PENALTY.get(loss, {}))
    trainer.train(quiet, never)
    assert trainer.state.step == 12


def test_one_that_was_never_judged_goes_back_to_where_it_lived(make_trainer):
    trainer = make_trainer(evaluate_every=100, checkpoint_every=1)
    with pytest.raises(Dead, match="the training is back at its last checkpoint: lower discriminator_lr"):
        trainer.train(kills(trainer, range(3, 9)), never)
    again = make_trainer(evaluate_every=100, checkpoint_every=1)
    assert again.resume()
    assert again.state.step == 3


def test_one_dead_batch_is_not_the_end(make_trainer):
    trainer = make_trainer(steps=20, discriminator_lr=2e-3)
    trainer.train(kills(trainer, [15]), never)
    losses = {line["step"]: line["discriminator"] for line in trainer.metrics.read() if "generator" in line}
    assert losses[15] < 1.9
    assert losses[16] == pytest.approx(2.0, abs=1e-3)


def test_one_that_dies_in_the_last_step_is_told(make_trainer):
    trainer = make_trainer(steps=20, discriminator_lr=2e-3)
    with pytest.raises(Dead, match="at step 20"):
        trainer.train(kills(trainer, [19]), never)


def test_one_that_has_won_learns_nothing_either_and_lives(make_trainer):
    trainer = make_trainer(discriminator_lr=0.01, steps=30, decay=0.0)
    learns = []
    trainer.train(
        lambda *_: learns.append(alarms._learns(trainer.state.method.modules["discriminator"])), never
    )
    assert trainer.state.step == 30
    assert not all(learns), "at this rate it is to win by far"


def test_a_rate_that_is_absurd_kills_it_at_one_step_however_often_the_run_is_resumed(make_trainer):
    whole = make_trainer("whole", **ABSURD)
    with pytest.raises(Dead) as told:
        whole.train(quiet, never)

    parts = make_trainer("parts", **ABSURD)
    parts.train(quiet, lambda: parts.state.step == whole.state.step - 1)
    again = make_trainer("parts", **ABSURD)
    assert again.resume()
    with pytest.raises(Dead) as told_again:
        again.train(quiet, never)

    assert str(told_again.value) == str(told.value)
