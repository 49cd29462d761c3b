"""Figures are of the right classes, or a sentence says why there are none."""

import numpy as np
import pytest

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.evaluation.splits import Splits, with_schema
from prodgen.spec.attributes import AttributeSchema, Choice
from tests.evaluation.toy_data import VALUES, bars, toy
from tests.toys import SCHEMA


def test_labels_are_read_in_the_order_of_the_model(tmp_path):
    data = bars()
    rotated = Catalogue(data.images, {"category": 2 - data.labels["category"]}, {"category": VALUES[::-1]})
    splits = Splits.matching(toy(tmp_path).config, rotated, rotated)
    assert splits.train.values == {"category": VALUES}
    assert np.array_equal(splits.test.labels["category"], data.labels["category"])


def test_unknown_values_stay_unknown():
    schema = AttributeSchema(attributes=(Choice(name="c", values=("a", "b"), frequencies=(1, 1)),))
    images = np.zeros((4, 8, 8, 1), np.uint8)
    odd = Catalogue(images, {"c": np.array([0, -1, 1, 2])}, {"c": ("b", "new", "a")})
    assert with_schema(schema, odd).labels["c"].tolist() == [1, -1, -1, 0]
    assert with_schema(schema, Catalogue(images, {}, {})).labels["c"].tolist() == [-1] * 4


def test_attributes_that_the_model_does_not_have_are_dropped(tmp_path):
    data = bars()
    more = Catalogue(
        data.images, {"size": np.zeros(240, int), **data.labels}, {"size": ("s",), **data.values}
    )
    assert list(Splits.matching(toy(tmp_path).config, more, more).train.values) == ["category"]


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        (bars(size=10), "makes 8x8 images of 1 channel.* training split has 10x10 images of 1"),
        (bars(0), "training split of the data has no images"),
        (Catalogue(bars().images, {}, {}), "has the attribute category; the data has no attributes"),
        (
            Catalogue(bars().images, bars().labels, {"category": ("top", "middle", "round")}),
            "differ in the values of category: only one of them has bottom, round",
        ),
    ],
)
def test_data_of_another_kind_is_refused(tmp_path, train, sentence):
    with pytest.raises(ProdgenError, match=sentence):
        Splits.matching(toy(tmp_path).config, train, bars())


def test_a_model_of_more_attributes_than_the_data_is_refused(tmp_path):
    data = Catalogue(bars().images, bars().labels, {"category": ("sneaker", "bag", "dress")})
    with pytest.raises(ProdgenError, match="has the attribute pattern; the data has category"):
        Splits.matching(toy(tmp_path, SCHEMA).config, data, data)
