"""A training keeps its best model through divergence, collapse and unusual data."""

import json

import numpy as np
import pytest

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import NotFound, ProdgenError
from prodgen.settings import Settings
from prodgen.training import checkpoint
from prodgen.training.export import export
from prodgen.training.watch.alarms import Collapsed, Diverged
from tests.evaluation.test_trunks import save_weights
from tests.training.conftest import never, quiet


def poison(trainer):
    next(trainer.state.method.generator.parameters()).data.fill_(float("nan"))


def set_scores(monkeypatch, *scores):
    remaining = iter(scores)
    monkeypatch.setattr("prodgen.training.watch.review.Judge", lambda *_: lambda *_: next(remaining))


def test_a_catalogue_without_labels_trains(make_trainer, catalogue, tmp_path):
    trainer = make_trainer(data=Catalogue(catalogue.images, {}, {}))
    trainer.train(quiet, never)
    export(trainer, tmp_path / "model")
    assert (tmp_path / "model" / "samples.png").is_file()
    assert "agreement" not in json.loads((tmp_path / "model" / "metrics.json").read_text())


def test_unknown_labels_train_as_attributes_that_are_left_out(make_trainer, catalogue):
    labels = np.where(np.arange(len(catalogue)) % 3, catalogue.labels["category"], -1)
    trainer = make_trainer(data=Catalogue(catalogue.images, {"category": labels}, catalogue.values))
    trainer.train(quiet, never)
    assert trainer.is_evaluated


def test_a_class_with_one_image_does_not_stop_the_training(make_trainer, catalogue):
    labels = np.arange(len(catalogue))
    values = {"category": tuple(f"c{k}" for k in labels)}
    trainer = make_trainer(data=Catalogue(catalogue.images, {"category": labels}, values))
    trainer.train(quiet, never)
    assert trainer.is_evaluated


def test_weights_that_are_not_finite_are_neither_saved_nor_evaluated(make_trainer, monkeypatch):
    trainer = make_trainer(checkpoint_every=1, evaluate_every=1)
    advance, poisoned = trainer.state.advance, []

    def advance_and_poison():
        losses = advance()
        if trainer.state.step == 2 and not poisoned:
            poisoned.append(trainer.state.step)
            poison(trainer)
        return losses

    monkeypatch.setattr(trainer.state, "advance", advance_and_poison)
    trainer.train(quiet, never)

    assert (trainer.state.step, poisoned) == (6, [2])
    assert all(bool(p.isfinite().all()) for p in trainer.state.method.generator.parameters())


def test_a_training_that_diverges_continues_from_its_checkpoint(make_trainer):
    trainer = make_trainer()
    poisoned = []

    def report(step, numbers):
        if step == 3 and not poisoned:
            poisoned.append(step)
            poison(trainer)

    trainer.train(report, never)

    assert (trainer.state.step, poisoned) == (6, [3])
    assert all(bool(p.isfinite().all()) for p in trainer.state.ema.model.parameters())
    steps = [line["step"] for line in trainer.metrics.read() if "generator" in line]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_training_that_diverges_again_and_again_stops_with_a_reason(make_trainer):
    trainer = make_trainer(checkpoint_every=1)
    trainer.save()
    with pytest.raises(Diverged, match="lower the learning rates"):
        trainer.train(lambda *_: poison(trainer), never)


def test_a_collapse_stops_the_training_and_resets_it_to_its_best_step(make_trainer, monkeypatch):
    trainer = make_trainer(evaluate_every=2)
    set_scores(monkeypatch, {"domain_fid": 9.0, "diversity": 0.9}, {"domain_fid": 30.0, "diversity": 0.01})

    with pytest.raises(Collapsed, match=r"collapsed at step 4 .* back at its best step, 2"):
        trainer.train(quiet, never)

    assert [line["step"] for line in trainer.metrics.read() if "domain_fid" in line] == [2, 4]
    again = make_trainer(evaluate_every=2)
    assert again.resume()
    assert (again.state.step, again.state.best_fid) == (2, 9.0)


def test_a_generator_that_never_was_diverse_has_not_collapsed(make_trainer, monkeypatch):
    uniform, worse = {"domain_fid": 9.0, "diversity": 0.01}, {"domain_fid": 9.5, "diversity": 0.02}
    set_scores(monkeypatch, uniform, worse, {"domain_fid": 4.0, "diversity": 0.8})
    trainer = make_trainer(evaluate_every=2)
    trainer.train(quiet, never)
    assert (trainer.state.step, trainer.state.best_fid) == (6, 4.0)


def test_a_first_score_that_is_not_finite_is_not_the_best(make_trainer, monkeypatch):
    set_scores(monkeypatch, {"domain_fid": float("nan")}, {"domain_fid": 4.0}, {"domain_fid": 5.0})
    trainer = make_trainer(evaluate_every=2)
    trainer.train(quiet, never)
    assert (trainer.state.step, trainer.state.best_fid) == (6, 4.0)


def test_a_recipe_that_selects_by_alexnet_keeps_the_step_with_the_least_kernel_distance(
    make_trainer, monkeypatch, tmp_path
):
    set_scores(monkeypatch, {"domain_fid": 9.0}, {"domain_fid": 8.0}, {"domain_fid": 7.0})
    monkeypatch.setattr("prodgen.training.watch.frozen_score.IMAGES", 40)
    monkeypatch.setattr(
        "prodgen.training.watch.review.settings",
        lambda: Settings(feature_weights=save_weights("alexnet", tmp_path, monkeypatch)),
    )
    trainer = make_trainer(evaluate_every=2, select="kid-alexnet")
    trainer.train(quiet, never)
    scores = {line["step"]: line["kid_alexnet"] for line in trainer.metrics.read() if "kid_alexnet" in line}
    best = checkpoint.load(trainer.best_file)
    assert set(scores) == {2, 4, 6}
    assert best["step"] == min(scores, key=scores.__getitem__)
    assert trainer.state.best_score == pytest.approx(min(scores.values()))
    again = make_trainer(evaluate_every=2, select="kid-alexnet")
    assert again.resume()
    assert (again.state.best_fid, again.state.best_score) == (7.0, trainer.state.best_score)


def test_a_training_that_cannot_select_as_its_recipe_says_does_not_begin(make_trainer, monkeypatch, tmp_path):
    monkeypatch.setattr("prodgen.training.watch.review.settings", lambda: Settings(feature_weights=tmp_path))
    with pytest.raises(NotFound, match="with the weights of VGG16; install them"):
        make_trainer(select="kid-vgg").train(quiet, never)


def test_the_best_step_of_an_earlier_training_is_deleted(make_trainer):
    make_trainer().train(quiet, never)
    trainer = make_trainer(evaluate_every=100)
    trainer.checkpoint_file.unlink()
    trainer.train(quiet, lambda: trainer.state.step == 2)
    assert not trainer.is_evaluated


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch": 256}, "the data holds 200 images, fewer than a batch of 256"),
        (
            {"widths": [16, 16, 16, 16, 16, 16]},
            "the widths do not fit the images: size 16 is not 5 doublings",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused_before_anything_is_written(
    make_trainer, tmp_path, changes, words
):
    with pytest.raises(ProdgenError, match=words):
        make_trainer("refused", **changes)
    assert not (tmp_path / "refused").exists()
