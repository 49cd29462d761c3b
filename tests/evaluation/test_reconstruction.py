"""An evaluation shows whether an autoencoder restores a product."""

import numpy as np
import pytest

from prodgen.evaluation.reconstruction import reconstruction
from tests.evaluation.toy_data import bars, toy, with_labels


@pytest.fixture
def model(tmp_path):
    return toy(tmp_path)


def test_a_perfect_reconstruction_has_no_error(model):
    assert reconstruction(model, bars(), "cpu") is None
    model.generator.reconstruct = lambda x, condition: x
    found = reconstruction(model, bars(), "cpu")
    assert np.array_equal(found.images.images, bars().images)
    assert (found.squared, found.absolute) == (0.0, 0.0)


def test_errors_are_in_their_units(model):
    model.generator.reconstruct = lambda x, condition: x + 2 * 10 / 255
    found = reconstruction(model, bars(), "cpu")
    assert found.absolute == pytest.approx(10, abs=1e-3)
    assert found.squared == pytest.approx((10 / 255) ** 2, rel=1e-4)


def test_the_model_gets_the_attributes_of_each_image(model):
    conditions = []
    model.generator.reconstruct = lambda x, condition: conditions.append(condition.argmax(1)) or x
    reconstruction(model, bars(), "cpu")
    assert np.array_equal(np.concatenate(conditions), bars().labels["category"])


def test_images_that_are_not_fully_labelled_are_left_out(model):
    model.generator.reconstruct = lambda x, condition: x
    labels = bars().labels["category"].copy()
    labels[:100] = -1
    assert len(reconstruction(model, with_labels(bars(), labels)).originals) == 140
    assert reconstruction(model, with_labels(bars(), np.full(240, -1))) is None
