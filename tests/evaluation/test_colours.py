"""What a user would lose: knowing whether a dress that is ordered in red is red."""

import numpy as np
import pytest

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.evaluation.card import card
from prodgen.evaluation.evaluate import Options, evaluate, plan
from prodgen.evaluation.samples import generate_images
from prodgen.evaluation.splits import Splits, attributes_of
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.colour import mean_colours, to_lab
from tests.evaluation.toy_data import coloured, glass, toy


def test_the_colour_of_a_product_does_not_depend_on_its_alpha():
    assert mean_colours(glass(3).images) == pytest.approx(np.tile(to_lab([1.0, 0.0, 0.0]), (3, 1)))
    assert np.isnan(mean_colours(np.zeros((2, 8, 8, 4), np.uint8))).all()


def test_the_mean_colour_is_weighted_by_alpha():
    image = np.zeros((1, 2, 1, 4), np.uint8)
    image[0, 0, 0] = (255, 255, 255, 255)
    image[0, 1, 0] = (0, 0, 0, 85)
    assert mean_colours(image)[0] == pytest.approx([75, 0, 0], abs=1e-3)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coloured")
    model = toy(folder / "toy", coloured().schema(), channels=4)
    model.generator.reconstruct = lambda x, condition: x
    splits = Splits.matching(model.config, coloured(), coloured(seed=1))
    return evaluate(plan(model, splits, Options(folder / "cache", count=150)))


def test_the_distance_of_products_from_the_requested_colour_is_measured(found):
    figure = found.figures["colour_distance"]
    assert figure.real < 2, "a level of 255, at half the coverage"
    assert figure.value > 10
    assert (figure.generated_count, figure.real_count) == (150, 230)
    near = found.figures["colour_near"]
    assert near.real == 1.0
    assert near.value < 0.8
    assert found.pictures["colours.png"].width > 12 * 72


def test_only_images_whose_colour_is_known_are_reconstructed(found):
    assert found.figures["reconstruction_mse"].generated_count == 230
    assert "- `colour`: any colour" in card(found)


def test_generated_images_are_labelled_with_the_requested_colour(tmp_path):
    model = toy(tmp_path, coloured().schema(), channels=4)
    made = generate_images(model, [{"colour": "#c0392b"}, {}], 0, "cpu")
    assert attributes_of(made, 0)["colour"] == "#c0392b"
    assert attributes_of(made, 1).keys() == {"category", "colour"}
    assert attributes_of(coloured(), 0).keys() == {"category"}


def test_a_model_with_no_attribute_but_a_colour_is_measured(tmp_path):
    def plain(seed: int) -> Catalogue:
        whole = coloured(60, seed)
        return Catalogue(whole.images, {}, {}, whole.colours)

    model = toy(tmp_path / "toy", AttributeSchema(attributes=plain(0).schema().attributes), channels=4)
    splits = Splits.matching(model.config, plain(0), plain(1))
    found = evaluate(plan(model, splits, Options(tmp_path / "cache")))
    assert "colour_distance" in found.figures
    assert "(which way up, 128 features)" in found.figures["kid"].features


def test_data_without_the_colours_is_refused(tmp_path):
    model = toy(tmp_path, coloured().schema(), channels=4)
    with pytest.raises(ProdgenError, match="has the attribute colour; the data has category"):
        Splits.matching(model.config, glass(), glass())
