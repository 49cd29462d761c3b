"""An evaluation looks at the same images that an order gets."""

import numpy as np

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.samples import generate_images, generate_like, interpolations
from prodgen.pipeline import Pipeline
from tests.evaluation.toy_data import VALUES, toy
from tests.toys import SCHEMA, toy_folder


def test_samples_are_the_images_of_an_order(tmp_path):
    made = generate_images(toy(tmp_path, SCHEMA), [{}] * 20, 7, "cpu")
    with Pipeline.from_pretrained(tmp_path) as pipeline:
        ordered = pipeline(count=20, seed=7)
    assert np.array_equal(made.images[..., 0], np.stack([np.asarray(image) for image in ordered.images]))


def test_labels_are_the_requested_values(tmp_path):
    asked = [{"category": value} for value in ("dress", "sneaker", "bag")]
    made = generate_images(toy(tmp_path, SCHEMA), asked, 0, "cpu")
    assert made.labels["category"].tolist() == [2, 0, 1]
    assert set(made.labels["pattern"].tolist()) <= {0, 1}


def test_attributes_left_out_are_as_frequent_as_in_training(tmp_path):
    made = generate_images(toy(tmp_path, SCHEMA), [{}] * 2000, 0, "cpu")
    shares = np.bincount(made.labels["category"], minlength=3) / 2000
    assert np.allclose(shares, (0.5, 0.3, 0.2), atol=0.04)


def test_combinations_of_attributes_are_as_frequent_as_in_the_data(tmp_path):
    kinds, patterns = np.array([0, 0, 0, 1, 2, -1]), np.array([0, 0, 0, 1, 1, 1])
    values = {"category": ("sneaker", "bag", "dress"), "pattern": ("plain", "striped")}
    images = np.zeros((6, 8, 8, 1), np.uint8)
    real = Catalogue(images, {"category": kinds, "pattern": patterns}, values)
    made = generate_like(toy(tmp_path, SCHEMA), real, 600, 0, "cpu")
    asked = list(zip(made.labels["category"].tolist(), made.labels["pattern"].tolist(), strict=True))
    assert {pair for pair in asked if pair[1] == 0} == {(0, 0)}
    assert 0.4 < asked.count((0, 0)) / 600 < 0.6


def test_channels_are_the_models_own(tmp_path):
    from prodgen.models import load_model

    for channels in (3, 4):
        folder = toy_folder(tmp_path / str(channels), size=8, channels=channels)
        assert generate_images(load_model(folder), [{}] * 3, 0, "cpu").images.shape == (3, 8, 8, channels)


def test_each_row_has_one_value_and_is_reproducible(tmp_path):
    conditions, images = interpolations(toy(tmp_path), seed=3)
    assert [c["category"] for c in conditions] == list(VALUES)
    assert images.shape == (3, 9, 8, 8, 1)
    assert np.array_equal(images, interpolations(toy(tmp_path), seed=3)[1])
    assert not np.array_equal(images[:, 0], images[:, -1])


def test_other_attributes_stay_the_same_along_a_row(tmp_path):
    conditions, _ = interpolations(toy(tmp_path, SCHEMA), seed=0)
    assert all(set(c) == {"category", "pattern"} for c in conditions)
