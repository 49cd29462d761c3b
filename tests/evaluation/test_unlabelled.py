"""Models of pictures without a category are measured too."""

import numpy as np
import pytest
import torch

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.classifier import DomainClassifier, rotated, to_tensor, train_classifier
from prodgen.evaluation.evaluate import Options, evaluate, plan
from prodgen.evaluation.judges import Judges, train_judge
from prodgen.evaluation.report import card
from prodgen.evaluation.splits import Splits
from prodgen.spec.attributes import AttributeSchema
from prodgen.training import checkpoint
from prodgen.training.watch.judge import CLASSIFIER, Judge
from tests.evaluation.toy_data import bars, toy

NONE = AttributeSchema()


def unlabelled(count: int = 150, seed: int = 0) -> Catalogue:
    return Catalogue(bars(count, seed).images, {}, {})


def test_rotating_in_batches_trains_the_same_classifier_as_four_rotated_copies():
    images = bars(50).images
    copies = np.concatenate([np.rot90(images, turns, (1, 2)) for turns in range(4)])
    four = Catalogue(copies, {"turn": np.repeat(np.arange(4), 50)}, {"turn": tuple("0123")})
    a = train_classifier(four, "turn", epochs=2, seed=3).state_dict()
    b = train_classifier(unlabelled(50), None, epochs=2, seed=3).state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_each_image_is_rotated_by_its_own_number_of_quarters():
    images = torch.arange(2 * 3 * 3 * 1).view(2, 3, 3, 1)
    assert torch.equal(rotated(images, torch.tensor([0, 3])), torch.stack([images[0], images[1].rot90(3)]))


def test_the_judge_of_rotations_is_kept_in_the_cache(tmp_path):
    first = Judges(unlabelled(), tmp_path)(None)
    assert first.name == Judges(unlabelled(), tmp_path)(None).name
    assert len([*tmp_path.iterdir()]) == 1
    seen = first(bars().images)
    assert seen.values.shape == (240, 128)
    assert seen.probabilities is None, "which way up an image is says nothing of its quality"


def test_a_judge_depends_on_its_seed_alone():
    a, b, c = (train_judge(unlabelled(40), None, "cpu", *seed).state_dict() for seed in ((), (1,), (0,)))
    assert torch.equal(a["head.weight"], b["head.weight"])
    assert not torch.equal(a["head.weight"], c["head.weight"])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unlabelled")
    model = toy(folder / "toy", NONE)
    model.generator.reconstruct = lambda x, condition: x
    splits = Splits.matching(model.config, unlabelled(), bars(140, seed=1))
    return evaluate(plan(model, splits, Options(folder / "cache")))


def test_a_single_category_is_no_class(tmp_path):
    """A classifier of one class is always right and learns nothing."""
    splits = [
        Catalogue(bars(150, seed).images, {"category": np.zeros(150, np.int64)}, {"category": ("shoe",)})
        for seed in (0, 1)
    ]
    model = toy(tmp_path / "toy", splits[0].schema())
    found = evaluate(plan(model, Splits.matching(model.config, *splits), Options(tmp_path / "cache")))
    assert found.figures["fid"].value > 10 * found.figures["fid"].real
    assert "which way up" in found.figures["fid"].features
    assert not {"cas", "inception_score", "agreement_category"} & set(found.figures)
    assert len([reason for reason in found.left_out if "two values" in reason]) == 2


def test_a_run_is_judged_by_the_first_attribute_with_two_values(tmp_path):
    real = bars(240)
    labels = {"category": np.zeros(240, np.int64), "row": real.labels["category"]}
    both = Catalogue(real.images, labels, {"category": ("shoe",), "row": real.values["category"]})
    rows = to_tensor(torch.from_numpy(real.images[:3]))

    def perfect(z, condition):
        return rows[condition[:, 1:].argmax(1)]

    blind = DomainClassifier(1, 1)  # as an older version saved it for one class
    checkpoint.save(tmp_path / CLASSIFIER, {"data": "data", "classifier": blind.state_dict()})
    judge = Judge(both, "data", tmp_path, "cpu")
    scores = judge(perfect, torch.zeros(240, 4), torch.from_numpy(both.conditions()))
    assert scores["agreement"] > 0.95
    alone = Catalogue(real.images, {"category": labels["category"]}, {"category": ("shoe",)})
    assert Judge(alone, "other", tmp_path / "other", "cpu").attribute is None


def test_figures_distinguish_noise_from_pictures(found):
    assert found.figures["fid"].value > 10 * found.figures["fid"].real
    assert found.figures["coverage"].value < found.figures["coverage"].real


def test_all_test_images_are_reconstructed(found):
    assert found.figures["reconstruction_mse"].generated_count == 140
    assert found.figures["reconstruction_mse"].value == 0
    assert "reconstruction_agreement" not in found.figures


def test_the_card_says_what_is_not_measured_and_that_there_are_no_attributes(found):
    text = card(found)
    assert "None: the model generates images like those that it was trained on." in text
    assert (
        "- the classification accuracy score (CAS): no attribute of the data has two values to tell apart."
        in text
    )
    assert "Inception Score |" not in text
    for name in ("samples", "neighbours", "interpolation", "reconstructions"):
        assert f"({name}.png)" in text
        assert found.pictures[f"{name}.png"].width > 200
