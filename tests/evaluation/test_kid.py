"""What a user would lose: a distance that can be trusted at a few thousand images."""

import pytest
import torch

from prodgen.evaluation.kid import kernel_distance


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
