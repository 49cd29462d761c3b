"""What a user would lose: knowing whether generated images can stand in for photographs."""

import numpy as np

from prodgen.evaluation.accuracy import accuracy_of
from prodgen.evaluation.cas import classification_accuracy_score
from prodgen.evaluation.domain import Judges
from prodgen.evaluation.splits import subset
from tests.evaluation.toy_scene import VALUES, bars, with_labels


def score(generated, cache, train=None):
    train = train or bars(seed=0)
    return classification_accuracy_score(generated, train, bars(seed=2), "category", Judges(train, cache))


def test_images_like_the_real_ones_teach_as_much(tmp_path):
    ours, theirs = score(bars(seed=1), tmp_path)
    assert min(ours.overall, theirs.overall) > 0.97
    assert set(ours.by_class) == set(theirs.by_class) == set(VALUES)
    assert ours.count == 240


def test_images_that_are_not_what_was_asked_for_teach_nothing(tmp_path):
    swapped = with_labels(bars(seed=1), (bars().labels["category"] + 1) % 3)
    ours, theirs = score(swapped, tmp_path)
    assert ours.overall < 0.05
    assert theirs.overall > 0.97


def test_a_class_that_is_never_made_is_never_learned(tmp_path):
    images = bars(seed=1)
    ours, _ = score(subset(images, np.flatnonzero(images.labels["category"] != 1)), tmp_path)
    assert ours.by_class["middle"] == 0.0


def test_real_images_get_no_more_lessons_than_generated_ones(tmp_path, monkeypatch):
    taught = []
    import prodgen.evaluation.cas as cas

    train = cas.train_judge
    monkeypatch.setattr(cas, "train_judge", lambda c, *rest: taught.append(len(c)) or train(c, *rest))
    score(bars(60, seed=1), tmp_path)
    assert taught == [60, 60]


def test_real_lessons_are_those_whose_kind_is_known(tmp_path, monkeypatch):
    """Of 240 training images 90 are of known kind: they are no match for 150 that were asked for."""
    lessons = []
    import prodgen.evaluation.cas as cas

    train = cas.train_judge
    monkeypatch.setattr(cas, "train_judge", lambda c, *rest: lessons.append(c) or train(c, *rest))
    labels = bars().labels["category"].copy()
    labels[90:] = -1
    score(bars(60, seed=1), tmp_path, with_labels(bars(), labels))
    assert [len(c) for c in lessons] == [60, 60]
    assert (lessons[1].labels["category"] >= 0).all()
    score(bars(90, seed=1), tmp_path, with_labels(bars(), labels))
    assert [len(c) for c in lessons[2:]] == [90], "the judge has learned from the other 90 already"


def test_what_is_not_known_is_not_counted():
    import torch

    found = accuracy_of(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 0, -1]), ("a", "b", "c"))
    assert found.overall == 2 / 3
    assert found.count == 3
    assert found.by_class == {"a": 0.5, "b": 1.0, "c": None}
