"""What a user would lose: the days in which a generator learns from a discriminator that sees nothing."""

import pytest

from prodgen.models.families import FAMILIES
from prodgen.training.methods.objectives import LOSSES
from prodgen.training.trainer import train_run
from prodgen.training.watch import alarms
from prodgen.training.watch.alarms import Dead
from tests.training.conftest import never, quiet
from tests.training.test_run import ALL

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


def kills(run, at):
    """What, told of a step, lets every unit of the discriminator die after some, whatever the image."""
    discriminator = run.method.modules["discriminator"]
    hooks = []

    def tell(step, numbers):
        while hooks:
            hooks.pop().remove()
        if step in at:
            hooks.append(discriminator.body.register_forward_hook(lambda *call: call[-1] - 1e9))

    return tell


@pytest.mark.parametrize("family", WITH_ONE)
def test_a_dead_discriminator_stops_the_run_and_takes_it_back_to_its_best_step(make_run, family):
    recipe = {"family": family, **ALL[family], "evaluate_every": 2}
    run = make_run(**recipe)

    with pytest.raises(Dead, match=r"dead at step [45]: .* best step, 2: lower discriminator_lr"):
        train_run(run, kills(run, range(3, 9)), never)

    again = make_run(**recipe)
    assert again.resume()
    assert (again.step, again.best) == (2, 100)


@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_told_under_every_loss(make_run, loss):
    run = make_run(loss=loss, **PENALTY.get(loss, {}))
    with pytest.raises(Dead):
        train_run(run, kills(run, range(3, 9)), never)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_loss_of_a_living_one_is_taken_for_it(make_run, loss):
    run = make_run(loss=loss, steps=12, **PENALTY.get(loss, {}))
    train_run(run, quiet, never)
    assert run.step == 12


def test_one_that_was_never_judged_goes_back_to_where_it_lived(make_run):
    run = make_run(evaluate_every=100, checkpoint_every=1)
    with pytest.raises(Dead, match="the run is back at its last checkpoint: lower discriminator_lr"):
        train_run(run, kills(run, range(3, 9)), never)
    again = make_run(evaluate_every=100, checkpoint_every=1)
    assert again.resume()
    assert again.step == 3


def test_one_dead_batch_is_not_the_end(make_run):
    run = make_run(steps=20, discriminator_lr=2e-3)
    train_run(run, kills(run, [15]), never)
    losses = {line["step"]: line["discriminator"] for line in run.metrics.read() if "generator" in line}
    assert losses[15] < 1.9
    assert losses[16] == pytest.approx(2.0, abs=1e-3)


def test_one_that_dies_in_the_last_step_is_told(make_run):
    run = make_run(steps=20, discriminator_lr=2e-3)
    with pytest.raises(Dead, match="at step 20"):
        train_run(run, kills(run, [19]), never)


def test_one_that_has_won_learns_nothing_either_and_lives(make_run):
    run = make_run(discriminator_lr=0.01, steps=30, decay=0.0)
    learns = []
    train_run(run, lambda *_: learns.append(alarms._learns(run.method.modules["discriminator"])), never)
    assert run.step == 30
    assert not all(learns), "at this rate it is to win by far"


def test_a_rate_that_is_absurd_kills_it_at_one_step_however_often_the_run_is_resumed(make_run):
    whole = make_run("whole", **ABSURD)
    with pytest.raises(Dead) as told:
        train_run(whole, quiet, never)

    parts = make_run("parts", **ABSURD)
    train_run(parts, quiet, lambda: parts.step == whole.step - 1)
    again = make_run("parts", **ABSURD)
    assert again.resume()
    with pytest.raises(Dead) as told_again:
        train_run(again, quiet, never)

    assert str(told_again.value) == str(told.value)
