"""An evaluation warns of a model that repeats its training images."""

import pytest
import torch

from prodgen.evaluation.memorisation import memorisation


def normal(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))


def test_a_planted_copy_is_found():
    train = normal(1000, 0)
    generated = normal(200, 1)
    generated[7] = train[123] + 1e-4
    found = memorisation(generated, normal(500, 2), train)
    assert int(found.distances[:, 0].argmin()) == 7
    assert found.rows[7, 0] == 123
    assert found.distances[7, 0] < found.threshold


def test_new_images_are_as_far_from_training_as_unseen_real_ones():
    found = memorisation(normal(2000, 1), normal(2000, 2), normal(1000, 0))
    assert found.share == pytest.approx(found.test_share, abs=0.01)
    assert found.median == pytest.approx(found.test_median, rel=0.05)


def test_a_model_that_repeats_its_data_scores_badly():
    train = normal(1000, 0)
    found = memorisation(train[:500] + 1e-3, normal(500, 2), train)
    assert found.share == 1.0
    assert found.test_share == pytest.approx(0.01, abs=0.002)
    assert found.median < 0.01 * found.test_median


def test_a_test_split_full_of_copies_does_not_hide_what_is_memorised():
    """A tenth of the test images are training images, so the nearest 1% of them are copies."""
    train = normal(1000, 0)
    test = torch.cat([train[:100] + 1e-6, normal(900, 2)])
    clean = memorisation(train[500:600] + 1e-2, test[100:], train)
    found = memorisation(train[500:600] + 1e-2, test, train)
    assert found.threshold == pytest.approx(clean.threshold, rel=1e-6)
    assert found.share == 1.0
    assert found.test_share == pytest.approx(0.1 + 0.9 * 0.01, abs=0.002)


def test_copies_count_even_if_the_test_split_has_some():
    train = normal(300, 0)
    test = torch.cat([train[:50], normal(450, 2)])
    assert memorisation(train[100:200], test, train).share == 1.0
