"""A classifier shows whether generated images can replace photographs."""

import numpy as np

from prodgen.evaluation.accuracy import accuracy_of, classification_accuracy_score
from prodgen.evaluation.judges import Judges
from prodgen.evaluation.splits import subset
from tests.evaluation.toy_data import VALUES, bars, with_labels


def score(generated, cache, train=None):
    train = train or bars(seed=0)
    return classification_accuracy_score(generated, train, bars(seed=2), "category", Judges(train, cache))


def test_images_like_the_real_ones_score_as_much(tmp_path):
    ours, theirs = score(bars(seed=1), tmp_path)
    assert min(ours.overall, theirs.overall) > 0.97
    assert set(ours.by_class) == set(theirs.by_class) == set(VALUES)
    assert ours.count == 240


def test_images_of_another_value_than_the_requested_one_score_nothing(tmp_path):
    swapped = with_labels(bars(seed=1), (bars().labels["category"] + 1) % 3)
    ours, theirs = score(swapped, tmp_path)
    assert ours.overall < 0.05
    assert theirs.overall > 0.97


def test_a_class_that_is_never_made_is_never_learned(tmp_path):
    images = bars(seed=1)
    ours, _ = score(subset(images, np.flatnonzero(images.labels["category"] != 1)), tmp_path)
    assert ours.by_class["middle"] == 0.0


def test_as_many_real_images_as_generated_ones_train_a_classifier(tmp_path, monkeypatch):
    counts = []
    from prodgen.evaluation import accuracy

    train = accuracy.train_judge
    monkeypatch.setattr(accuracy, "train_judge", lambda c, *rest: counts.append(len(c)) or train(c, *rest))
    score(bars(60, seed=1), tmp_path)
    assert counts == [60, 60]


def test_only_real_images_of_known_value_train_a_classifier(tmp_path, monkeypatch):
    """The value of 90 of the 240 training images is known."""
    trained = []
    from prodgen.evaluation import accuracy

    train = accuracy.train_judge
    monkeypatch.setattr(accuracy, "train_judge", lambda c, *rest: trained.append(c) or train(c, *rest))
    labels = bars().labels["category"].copy()
    labels[90:] = -1
    score(bars(60, seed=1), tmp_path, with_labels(bars(), labels))
    assert [len(c) for c in trained] == [60, 60]
    assert (trained[1].labels["category"] >= 0).all()
    score(bars(90, seed=1), tmp_path, with_labels(bars(), labels))
    assert [len(c) for c in trained[2:]] == [90], "the judge is already trained on all 90 real images"


def test_unknown_labels_do_not_count():
    import torch

    found = accuracy_of(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 0, -1]), ("a", "b", "c"))
    assert found.overall == 2 / 3
    assert found.count == 3
    assert found.by_class == {"a": 0.5, "b": 1.0, "c": None}
