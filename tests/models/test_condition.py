"""A model makes the category that is asked for."""

import pytest
import torch

from prodgen.errors import ProdgenError
from prodgen.models.condition import columns, condition_size, encode
from prodgen.spec.attributes import AttributeSchema, ContinuousColour
from tests.toys import SCHEMA, toy_generator


def test_each_attribute_has_its_own_columns_in_any_order_of_the_request():
    rows = encode(
        SCHEMA, [{"category": "bag", "pattern": "plain"}, {"pattern": "striped", "category": "sneaker"}]
    )
    assert rows.tolist() == [[0, 1, 0, 1, 0], [1, 0, 0, 0, 1]]
    assert condition_size(SCHEMA) == 5


def test_a_colour_stands_beside_choices():
    colour = ContinuousColour(name="colour", palette=("red",))
    schema = AttributeSchema(attributes=(*SCHEMA.attributes, colour))
    rows = encode(schema, [{"category": "bag", "pattern": "plain", "colour": "#ffffff"}])
    assert rows[0].tolist() == pytest.approx([0, 1, 0, 1, 0, 2, 0, 0, 1], abs=1e-3)
    assert columns(schema)[5:] == [("colour", "L"), ("colour", "a"), ("colour", "b"), ("colour", "known")]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"category": "hat", "pattern": "plain"}, "no category 'hat'"),
        ({"category": "bag", "colour": "red"}, "no colour 'red'"),
        ({"category": "bag"}, "needs a pattern"),
        ({}, "needs a category"),
    ],
)
def test_what_the_model_does_not_know_is_refused_in_words(request_, words):
    with pytest.raises(ProdgenError, match=words):
        encode(SCHEMA, [{"category": "bag", "pattern": "plain"}, request_])


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_model_without_attributes_works():
    generator = toy_generator(schema=AttributeSchema())
    condition = encode(AttributeSchema(), [{}, {}])
    assert condition.shape == (2, 0)
    assert generator(torch.zeros(2, 12), condition).shape == (2, 1, 16, 16)
