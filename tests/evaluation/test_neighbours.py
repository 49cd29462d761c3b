"""Nearest images and shares of covered images are right, and need little memory."""

import pytest
import torch

from prodgen.evaluation import neighbours
from prodgen.evaluation.neighbours import density_coverage, distances, nearest, precision_recall, radii


def features(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 16, generator=torch.Generator().manual_seed(seed)) * 30


def test_pieces_give_what_the_whole_gives(monkeypatch):
    a, b = features(50, 0), features(70, 1)
    whole = torch.cat([*distances(a, b)])
    monkeypatch.setattr(neighbours, "PIECE", 300)
    pieces = [*distances(a, b)]
    assert {len(piece) for piece in pieces} == {4, 2}
    assert torch.allclose(torch.cat(pieces), whole, atol=1e-9)


def test_a_copy_is_at_distance_zero():
    b = features(1000, 0)
    found, rows = nearest(b[[17, 400]], b, 2)
    assert found[:, 0].tolist() == [0.0, 0.0]
    assert rows[:, 0].tolist() == [17, 400]
    assert found[:, 1].min() > 1


def test_an_image_is_not_its_own_neighbour():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert radii(line, 1).tolist() == [1, 1, 2, 4]
    assert radii(line, 2).tolist() == [3, 2, 3, 6]


def normal(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


def test_the_real_images_themselves_are_perfect():
    x = normal(300, 0)
    assert precision_recall(x, x) == (1.0, 1.0)
    density, coverage = density_coverage(x, x)
    assert coverage == 1.0
    assert density == pytest.approx(1.2, abs=0.01), "each ball holds its five neighbours and its centre"


def test_another_sample_of_the_same_distribution_is_nearly_perfect():
    a, b = normal(1000, 0), normal(1000, 1)
    assert min(precision_recall(a, b)) > 0.85
    density, coverage = density_coverage(a, b)
    assert density == pytest.approx(1.0, abs=0.1)
    assert coverage > 0.95


def test_distant_images_score_zero():
    a, b = normal(200, 0), normal(200, 1) + 100
    assert precision_recall(a, b) == (0.0, 0.0)
    assert density_coverage(a, b) == (0.0, 0.0)


def test_one_good_image_again_and_again_is_precise_and_covers_nothing():
    real = normal(500, 0)
    stuck = real[:1] + 0.01 * normal(500, 1)
    precision, recall = precision_recall(stuck, real)
    assert precision == 1.0
    assert recall < 0.05
    assert density_coverage(stuck, real)[1] < 0.1


def test_an_outlier_among_the_real_images_does_not_make_noise_dense():
    real = torch.cat([normal(200, 0), torch.full((1, 4), 50.0)])
    noise = 25 + normal(100, 1)
    assert precision_recall(noise, real)[0] == 1.0, "the weakness of precision that density does not have"
    assert density_coverage(noise, real)[0] < 0.5


def test_shares_are_those_counted_by_hand():
    real, generated = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.tensor([[0.5], [0.6], [9.0]])
    assert precision_recall(generated, real, k=1) == (pytest.approx(2 / 3), pytest.approx(3 / 4))
    density, coverage = density_coverage(generated, real, k=1)
    assert density == pytest.approx(4 / 3)
    assert coverage == pytest.approx(2 / 4)


def test_pieces_change_nothing(monkeypatch):
    a, b = normal(150, 0), normal(130, 1) + 0.5
    whole = precision_recall(a, b), density_coverage(a, b)
    monkeypatch.setattr(neighbours, "PIECE", 1000)
    assert (precision_recall(a, b), density_coverage(a, b)) == whole
