"""A request gets the attributes it asks for; the missing ones follow the training data."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema, Choice, ContinuousColour, NamedColour
from prodgen.spec.colour import encode_lab, to_lab
from prodgen.spec.combinations import Combination

CATEGORY = Choice(name="category", values=("sneaker", "bag", "T-Shirt"), frequencies=(0.5, 0.3, 0.2))
PATTERN = Choice(name="pattern", values=("plain", "striped"), frequencies=(3.0, 1.0))
SCHEMA = AttributeSchema(attributes=(CATEGORY, PATTERN))
PLAIN = AttributeSchema()


def test_missing_attributes_follow_the_training_distribution():
    count = 20_000
    drawn = SCHEMA.resolve([{}] * count, [7] * count, range(count))
    for name, expected in (("category", (0.5, 0.3, 0.2)), ("pattern", (0.75, 0.25))):
        values = {a.name: a.values for a in SCHEMA.attributes}[name]
        shares = [sum(d[name] == value for d in drawn) / count for value in values]
        assert shares == pytest.approx(expected, abs=0.015)
    both = sum(d == {"category": "bag", "pattern": "striped"} for d in drawn) / count
    assert both == pytest.approx(0.3 * 0.25, abs=0.01)


def test_drawn_values_depend_only_on_seed_and_draw():
    draws = [5, 900, 6, 5]
    drawn = SCHEMA.resolve([{}] * 4, [7, 7, 8, 7], draws)
    assert drawn[0] == drawn[3]
    for seed, draw, resolved in zip([7, 7, 8, 7], draws, drawn, strict=True):
        assert SCHEMA.resolve([{}], [seed], [draw]) == [resolved]


def test_no_update_changes_drawn_values():
    drawn = SCHEMA.resolve([{}] * 8, [7] * 8, range(8))
    assert [f"{d['category']} {d['pattern']}" for d in drawn] == [
        "sneaker plain", "T-Shirt plain", "sneaker plain", "bag plain",
        "sneaker plain", "sneaker plain", "T-Shirt striped", "bag plain",
    ]  # fmt: skip


def test_asking_for_one_attribute_does_not_change_the_others():
    free = SCHEMA.resolve([{}] * 100, [7] * 100, range(100))
    asked = SCHEMA.resolve([{"category": "bag"}] * 100, [7] * 100, range(100))
    assert [d["pattern"] for d in asked] == [d["pattern"] for d in free]
    assert {d["category"] for d in asked} == {"bag"}


def test_asked_and_drawn_may_be_mixed_in_one_order():
    wanted = [{"pattern": "striped", "category": "bag"}, {}, {"category": "sneaker"}]
    mixed = SCHEMA.resolve(wanted, [7] * 3, range(3))
    assert [list(d) for d in mixed] == [["category", "pattern"]] * 3
    assert mixed[0] == {"category": "bag", "pattern": "striped"}
    assert mixed[1] == SCHEMA.resolve([{}], [7], [1])[0]


@pytest.fixture
def material():
    """A schema in which sneakers are leather or canvas, bags always canvas, and T-Shirts silk."""
    kinds = Choice(name="category", values=("sneaker", "bag", "T-Shirt"), frequencies=(0.5, 0.3, 0.2))
    materials = Choice(name="material", values=("leather", "canvas", "silk"), frequencies=(0.3, 0.5, 0.2))
    pairs = {(0, 0): 0.3, (0, 1): 0.2, (1, 1): 0.3, (2, 2): 0.2}
    together = [Combination(places=places, frequency=share) for places, share in pairs.items()]
    return AttributeSchema(attributes=(kinds, materials), together=tuple(together))


def test_missing_attributes_are_drawn_from_combinations_with_the_requested_values(material):
    def drawn(**wanted):
        found = material.resolve([wanted] * 1000, [3] * 1000, range(1000))
        return Counter((one["category"], one["material"]) for one in found)

    free = drawn()
    assert set(free) == {
        ("sneaker", "leather"),
        ("sneaker", "canvas"),
        ("bag", "canvas"),
        ("T-Shirt", "silk"),
    }
    assert 250 < free["sneaker", "leather"] < 350
    sneakers = drawn(category="sneaker")
    assert 550 < sneakers["sneaker", "leather"] < 650
    assert set(drawn(material="silk")) == {("T-Shirt", "silk")}
    assert drawn(category="bag", material="silk") == {("bag", "silk"): 1000}


def test_values_that_never_occurred_together_leave_the_rest_to_be_drawn_alone(material):
    rare = AttributeSchema(
        attributes=(*material.attributes, PATTERN),
        together=(Combination(places=(0, 0, 1), frequency=1.0),),
    )
    found = rare.resolve([{"category": "bag"}] * 200, [3] * 200, range(200))
    assert {one["category"] for one in found} == {"bag"}
    assert {one["pattern"] for one in found} == {"plain", "striped"}


@pytest.mark.parametrize("places", [(0,), (0, 3), (0, 1, 2)])
def test_a_combination_of_unknown_values_is_refused(material, places):
    with pytest.raises(ValidationError, match="names no value of each of the 2 choices"):
        AttributeSchema(attributes=material.attributes, together=(Combination(places=places, frequency=1.0),))


def test_a_value_that_never_occurred_is_never_drawn():
    rare = Choice(name="x", values=("a", "b", "c", "d"), frequencies=(0.0, 1.0, 0.0, 0.0))
    assert set(rare.draw(np.array([2.0**-53, 0.5, 1.0 - 2.0**-53]))) == {"b"}


def test_edges_of_the_distribution_are_where_it_says():
    edges = np.array([2.0**-53, np.nextafter(0.5, 0), np.nextafter(0.5, 1), 1.0 - 2.0**-53])
    assert CATEGORY.draw(edges) == ["sneaker", "sneaker", "bag", "T-Shirt"]
    points = [CATEGORY.values.index(value) for value in CATEGORY.draw(np.linspace(0.001, 0.999, 999))]
    assert all(a <= b for a, b in pairwise(points))


def test_a_model_without_attributes_resolves_to_nothing():
    assert PLAIN.resolve([{}, {}], [0, 0], [0, 1]) == [{}, {}]


def test_values_are_read_in_any_case_and_kept_in_the_models_spelling():
    assert SCHEMA.parse({"category": ["t-shirt", " BAG "]}) == {"category": ["T-Shirt", "bag"]}
    assert SCHEMA.parse({"pattern": "Plain"}) == {"pattern": ["plain"]}


@pytest.mark.parametrize(
    ("wanted", "param", "words"),
    [
        ({"size": "xl"}, "attributes.size", "no attribute 'size'; its attributes are: category, pattern"),
        (
            {"category": "hat"},
            "attributes.category",
            "cannot be 'hat'; this model makes sneaker, bag, T-Shirt",
        ),
        ({"category": ["bag", "hat"]}, "attributes.category", "cannot be 'hat'"),
        ({"category": []}, "attributes.category", "category lists no value"),
    ],
)
def test_what_the_model_cannot_do_is_refused_with_what_it_can(wanted, param, words):
    with pytest.raises(ProdgenError, match=words) as refused:
        SCHEMA.parse(wanted)
    assert refused.value.param == param


def test_a_model_that_was_trained_on_odd_spellings_can_be_ordered():
    odd = AttributeSchema(
        attributes=(
            Choice(
                name=" Sku", values=(" dress", "evening  gown", "cafe\u0301"), frequencies=(1.0, 1.0, 1.0)
            ),
        )
    )
    asked = {"sku": ["dress", "Evening Gown", "caf\u00e9", " dress"]}
    assert odd.parse(asked) == {" Sku": [" dress", "evening  gown", "cafe\u0301", " dress"]}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"kategory": "bag"}, "did you mean category?"),
        ({"category": "tshirt"}, "did you mean T-Shirt?"),
        ({"pattern": "plain", "Pattern": "striped"}, "pattern is there twice"),
    ],
)
def test_what_was_probably_meant_is_suggested(wanted, words):
    with pytest.raises(ProdgenError) as refused:
        SCHEMA.parse(wanted)
    assert words in str(refused.value)


def test_a_model_with_no_attributes_says_so():
    with pytest.raises(ProdgenError, match="its attributes are: none"):
        PLAIN.parse({"category": "bag"})


@pytest.mark.parametrize(
    "frequencies",
    [(1.0,), (0.5, 0.5, 0.5), (0.0, 0.0), (1.5, -0.5), (float("nan"), 1.0), (float("inf"), 1.0)],
)
def test_a_schema_that_could_not_be_drawn_from_is_refused(frequencies):
    with pytest.raises(ValidationError):
        Choice(name="x", values=("a", "b"), frequencies=frequencies)


COLOUR = ContinuousColour(name="colour", palette=("red", "#00ff00", "navy"))
COLOURED = AttributeSchema(attributes=(CATEGORY, COLOUR))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("#C0392B", "#c0392b"),
        ("crimson", "#dc143c"),
        ("Forest Green", "#228b22"),
        ("rgb(1, 2, 3)", "#010203"),
    ],
)
def test_a_colour_is_any_that_can_be_written(written, meant):
    assert COLOURED.parse({"colour": written}) == {"colour": [meant]}


def test_the_colour_of_a_product_has_the_meaning_of_shops_and_a_scene_that_of_css():
    """A version of before has no ``words``, so an order of it that is made again keeps its colours."""
    colour = NamedColour(name="colour", values=("original",), words="shop")
    scene, before = (NamedColour(name=name, values=("original",)) for name in ("scene", "colour"))
    assert "words" not in before.model_dump()
    assert colour.model_dump()["words"] == "shop"
    assert colour.parse("forest-green") == colour.parse("Forest  Green") == "#2c4a34"
    assert colour.parse("heather gray") == colour.parse("heather-grey") == "#a5a7ab"
    assert before.parse("navy") == "#000080"
    with pytest.raises(ProdgenError, match="did you mean burgundy"):
        colour.parse("burgundi")
    assert [colour.parse(word) for word in ("Navy", "forest green", "thistle")] == [
        "#1f2a44",
        "#2c4a34",
        "#d8bfd8",
    ]
    assert (colour.parse("Original"), colour.parse("#000080")) == ("original", "#000080")
    assert scene.parse("navy") == "#000080"


@pytest.mark.parametrize("written", ["mauvish", "#12", "", "rgb(300,0,0)", "#ff000080"])
def test_what_is_no_colour_is_refused_with_what_would_be_one(written):
    with pytest.raises(
        ProdgenError, match=r"^colour: '.*' is (no colour; write a CSS|transparent)"
    ) as refused:
        COLOURED.parse({"colour": written})
    assert refused.value.param == "attributes.colour"


def test_a_missing_colour_is_one_of_the_palette():
    drawn = COLOURED.resolve([{}] * 300, [7] * 300, range(300))
    assert {d["colour"] for d in drawn} == {"#ff0000", "#00ff00", "#000080"}


def test_colours_are_encoded_in_cielab():
    numbers = COLOUR.encode(["#ffffff", "#000000", "#c0392b"])
    assert numbers[:2].tolist() == [pytest.approx([2, 0, 0, 1], abs=1e-3), [-2, 0, 0, 1]]
    assert numbers[2, :3] * 25 + (50, 0, 0) == pytest.approx(to_lab(np.uint8([0xC0, 0x39, 0x2B])), abs=1e-3)
    assert encode_lab([[np.nan] * 3]).tolist() == [[0, 0, 0, 0]]


def test_a_schema_with_colours_is_read_as_it_was_written():
    assert AttributeSchema.model_validate_json(COLOURED.model_dump_json()) == COLOURED
