"""What a user would lose: a score that says which of two models is better."""

import pytest
import torch

from prodgen.evaluation.frechet import frechet_distance


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
