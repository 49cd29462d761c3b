"""What a user would lose: a score that rises with certainty and with variety."""

import pytest
import torch

from prodgen.evaluation.inception_score import inception_score


def test_certain_images_of_all_classes_score_the_number_of_classes():
    score, spread = inception_score(torch.eye(5).repeat(2000, 1))
    assert score == pytest.approx(5, rel=0.01)
    assert spread < 0.05


def test_images_of_no_class_or_of_one_class_score_one():
    assert inception_score(torch.full((100, 5), 0.2))[0] == pytest.approx(1)
    assert inception_score(torch.eye(5)[:1].repeat(100, 1))[0] == pytest.approx(1)


def test_the_score_is_the_formula_of_the_paper():
    p = torch.tensor([[0.9, 0.1], [0.2, 0.8]]).double()
    expected = ((p * (p / p.mean(0)).log()).sum(1).mean()).exp()
    assert inception_score(p, splits=1)[0] == pytest.approx(float(expected))
