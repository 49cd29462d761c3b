"""Figures show which of two models is better."""

import pytest
import torch

from prodgen.evaluation.metrics import frechet_distance, inception_score, kernel_distance


def exactly(mean: torch.Tensor, covariance: torch.Tensor, count: int = 400) -> torch.Tensor:
    """Samples whose mean and covariance are exactly these."""
    x = torch.randn(count, len(mean), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = x - x.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(torch.cov(x.T)), x.T, upper=False).T
    return white @ torch.linalg.cholesky(covariance).T + mean


def test_the_distance_of_a_set_to_itself_is_zero():
    x = torch.randn(300, 16, generator=torch.Generator().manual_seed(1))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-8)


def test_the_distance_of_diagonal_gaussians_is_the_closed_form():
    a, b = torch.tensor([1.0, 4.0, 9.0]).double(), torch.tensor([4.0, 1.0, 0.25]).double()
    mean = torch.tensor([1.0, -2.0, 0.5]).double()
    expected = mean.square().sum() + (a.sqrt() - b.sqrt()).square().sum()
    got = frechet_distance(exactly(torch.zeros(3).double(), a.diag()), exactly(mean, b.diag()))
    assert got == pytest.approx(float(expected), rel=1e-9)


def test_the_distance_of_any_gaussians_is_the_closed_form():
    generator = torch.Generator().manual_seed(2)
    factor_a, factor_b = (torch.randn(6, 6, generator=generator).double() for _ in range(2))
    a, b = (f @ f.T + torch.eye(6).double() for f in (factor_a, factor_b))
    zero = torch.zeros(6).double()
    values, vectors = torch.linalg.eigh(a)
    root = vectors @ values.sqrt().diag() @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ b @ root).sqrt().sum()
    expected = float(a.trace() + b.trace() - 2 * overlap)
    assert frechet_distance(exactly(zero, a), exactly(zero, b)) == pytest.approx(expected, rel=1e-8)


def test_constant_features_do_no_harm():
    x = torch.randn(300, 16, generator=torch.Generator().manual_seed(1))
    x[:, 3:7] = 0
    assert frechet_distance(x, x + 1) == pytest.approx(16, rel=1e-6)


def test_the_distance_is_symmetric():
    generator = torch.Generator().manual_seed(3)
    a, b = torch.randn(200, 8, generator=generator), torch.randn(300, 8, generator=generator) * 2 + 1
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def normal(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


def test_it_is_the_estimate_of_the_paper():
    x, y = normal(5, 0).double(), normal(5, 1).double()

    def kernel(a, b):
        return (float(a @ b) / 8 + 1) ** 3

    within = sum(kernel(s[i], s[j]) for s in (x, y) for i in range(5) for j in range(5) if i != j) / 20
    between = sum(kernel(a, b) for a in x for b in y) / 25
    mean, std = kernel_distance(x, y, subsets=3, size=5)
    assert mean == pytest.approx(within - 2 * between, rel=1e-9)
    assert std == pytest.approx(0, abs=1e-9)


def test_the_mean_distance_of_two_samples_of_one_distribution_is_zero_at_any_count():
    means = [kernel_distance(normal(40, 2 * k), normal(40, 2 * k + 1), subsets=1)[0] for k in range(200)]
    spread = torch.tensor(means)
    assert abs(spread.mean()) < 3 * spread.std() / 200**0.5
    assert (spread < 0).any(), "an unbiased estimate of zero is below it at times"


def test_a_more_distant_set_scores_worse():
    near, far = (kernel_distance(normal(500, 0), normal(500, 1, shift), size=300)[0] for shift in (0.3, 1.0))
    assert 0 < near < far


def test_subsets_of_small_sets_differ():
    """A subset is at most half of a set."""
    for count in (20, 400):
        assert kernel_distance(normal(count, 0), normal(count, 1))[1] > 0
    few, many = normal(150, 0), normal(10_000, 1)
    assert kernel_distance(few, many, subsets=5) == kernel_distance(few, many, subsets=5, size=75)


def test_the_same_seed_gives_the_same_distance():
    a, b = normal(300, 0), normal(200, 1)
    assert kernel_distance(a, b, size=100) == kernel_distance(a, b, size=100)
    assert kernel_distance(a, b, size=100) != kernel_distance(a, b, size=100, seed=1)


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
