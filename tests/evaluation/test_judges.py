"""All models of a catalogue are measured by one judge, which is trained once."""

import numpy as np
import pytest
import torch

from prodgen.errors import ProdgenError
from prodgen.evaluation import judges
from prodgen.evaluation.classifier import train_classifier
from prodgen.evaluation.judges import Judges, epochs_for
from prodgen.evaluation.splits import subset
from tests.evaluation.toy_data import bars, with_labels


def test_a_judge_is_trained_once_and_then_loaded(tmp_path, monkeypatch):
    first = Judges(bars(), tmp_path)("category")
    monkeypatch.setattr(judges, "train_judge", lambda *_: pytest.fail("trained again"))
    second = Judges(bars(), tmp_path)("category")
    assert first.name == second.name
    assert torch.equal(first(bars().images).values, second(bars().images).values)


def test_other_data_gets_another_judge_of_another_name(tmp_path):
    a, b = (Judges(bars(seed=seed), tmp_path)("category") for seed in (0, 1))
    assert a.name != b.name
    assert a.name.startswith("domain classifier ")
    assert "(category, 128 features)" in a.name
    assert len([*tmp_path.glob("*.safetensors")]) == 2


def test_a_broken_file_is_replaced(tmp_path):
    name = Judges(bars(), tmp_path)("category").name
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    assert Judges(bars(), tmp_path)("category").name == name


def test_the_judge_gives_features_and_probabilities(tmp_path):
    seen = Judges(bars(), tmp_path)("category")(bars(seed=5).images)
    assert seen.values.shape == (240, 128)
    assert torch.allclose(seen.probabilities.sum(1), torch.ones(240), atol=1e-5)
    assert (seen.probabilities.argmax(1).numpy() == bars().labels["category"]).mean() > 0.97


def test_images_of_unknown_value_are_not_trained_on():
    labels = bars().labels["category"].copy()
    labels[120:] = -1
    a = train_classifier(with_labels(bars(), labels), "category", epochs=1).state_dict()
    b = train_classifier(subset(bars(), slice(120)), "category", epochs=1).state_dict()
    assert all(torch.equal(a[key], b[key]) for key in a)
    with pytest.raises(ProdgenError, match="no training image has a known category"):
        train_classifier(with_labels(bars(), np.full(240, -1)), "category")


def test_a_catalogue_with_few_known_values_is_trained_on_as_a_small_one(tmp_path, monkeypatch):
    labels = bars().labels["category"].copy()
    labels[3:] = -1
    asked = []
    monkeypatch.setattr(judges, "train_classifier", lambda *_, epochs, **__: asked.append(epochs))
    judges.train_judge(with_labels(bars(), labels), "category", "cpu")
    assert asked == [epochs_for(3)]


def test_a_small_catalogue_gets_more_epochs_within_reason():
    assert [epochs_for(n) for n in (60_000, 4_000, 100)] == [3, 10, 40]
