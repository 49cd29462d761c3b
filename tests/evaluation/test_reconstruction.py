"""What a user would lose: knowing whether an autoencoder gives a product back."""

import numpy as np
import pytest

from prodgen.evaluation.reconstruction import reconstruction, reconstructs
from tests.evaluation.toy_scene import bars, toy, with_labels


@pytest.fixture
def model(tmp_path):
    return toy(tmp_path)


def test_a_model_that_gives_everything_back_has_no_error(model):
    assert not reconstructs(model)
    model.generator.reconstruct = lambda x, condition: x
    assert reconstructs(model)
    found = reconstruction(model, bars(), "cpu")
    assert np.array_equal(found.images.images, bars().images)
    assert (found.squared, found.absolute) == (0.0, 0.0)


def test_errors_are_in_the_units_that_they_say(model):
    model.generator.reconstruct = lambda x, condition: x + 2 * 10 / 255
    found = reconstruction(model, bars(), "cpu")
    assert found.absolute == pytest.approx(10, abs=1e-3)
    assert found.squared == pytest.approx((10 / 255) ** 2, rel=1e-4)


def test_the_model_hears_what_each_image_is(model):
    heard = []
    model.generator.reconstruct = lambda x, condition: heard.append(condition.argmax(1)) or x
    reconstruction(model, bars(), "cpu")
    assert np.array_equal(np.concatenate(heard), bars().labels["category"])


def test_images_that_are_not_fully_labelled_are_left_out(model):
    model.generator.reconstruct = lambda x, condition: x
    labels = bars().labels["category"].copy()
    labels[:100] = -1
    assert len(reconstruction(model, with_labels(bars(), labels)).originals) == 140
    assert reconstruction(model, with_labels(bars(), np.full(240, -1))) is None
