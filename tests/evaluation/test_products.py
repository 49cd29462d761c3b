"""Figures of cut-outs and colours are those of real products."""

import numpy as np
import pytest
import torch

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.evaluation.evaluate import Options, evaluate, plan
from prodgen.evaluation.judges import Judges
from prodgen.evaluation.pictures import on_white, picture, premultiplied, to_bytes
from prodgen.evaluation.products import coverage, wasserstein
from prodgen.evaluation.report import card
from prodgen.evaluation.samples import generate_images
from prodgen.evaluation.splits import Splits, attributes_of
from prodgen.pipeline import Pipeline
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.colour import mean_colours, to_lab
from tests.evaluation.toy_data import bars, coloured, glass, toy


def test_coverage_is_the_share_of_the_picture():
    images = np.zeros((2, 4, 4, 4), np.uint8)
    images[1, :2, :, 3] = 255
    assert coverage(images).tolist() == [0.0, 0.5]


def test_the_distance_is_how_far_one_set_must_move_to_become_the_other():
    a = np.array([0.1, 0.2, 0.6])
    assert wasserstein(a, a[::-1]) == 0
    assert wasserstein(a, a + 0.25) == pytest.approx(0.25)
    assert wasserstein(np.array([0.0, 1.0]), np.array([0.5])) == pytest.approx(0.5)
    assert wasserstein(np.array([0.0]), np.array([0.0, 0.0, 0.3])) == pytest.approx(0.1)


def test_the_distance_is_that_of_the_sorted_sets():
    rng = np.random.default_rng(0)
    a, b = rng.random(100), rng.random(100) ** 2
    assert wasserstein(a, b) == pytest.approx(np.abs(np.sort(a) - np.sort(b)).mean())


def test_pixels_of_a_file_are_premultiplied_for_networks_and_on_white_for_people():
    half_red = np.array([255, 0, 0, 128], np.uint8)
    assert premultiplied(half_red).tolist() == [128, 0, 0, 128]
    assert on_white(premultiplied(half_red)).tolist() == [255, 127, 127]
    hidden = np.array([90, 200, 30, 0], np.uint8)
    assert premultiplied(hidden).tolist() == [0, 0, 0, 0]
    assert on_white(premultiplied(hidden)).tolist() == [255, 255, 255]
    for channels in (1, 3):
        plain = np.full((2, 2, channels), 7, np.uint8)
        assert premultiplied(plain) is on_white(plain) is plain


def test_generated_images_are_premultiplied_as_a_catalogue_is(tmp_path):
    made = generate_images(toy(tmp_path, channels=4), [{}] * 8, 0, "cpu").images
    assert (made[..., :3] <= made[..., 3:]).all()
    with Pipeline.from_pretrained(tmp_path) as pipeline:
        ordered = np.stack([np.asarray(image) for image in pipeline(count=8, seed=0).images])
    assert np.array_equal(premultiplied(ordered), made)


def test_no_colour_of_a_networks_output_exceeds_its_alpha():
    made = to_bytes(torch.tensor([1.0, -1.0, 0.0, 0.0]).view(1, 4, 1, 1))
    assert made.flatten().tolist() == [128, 0, 128, 128]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The evaluation of a toy of four channels that can reconstruct."""
    folder = tmp_path_factory.mktemp("glass")
    model = toy(folder / "toy", channels=4)
    model.generator.reconstruct = lambda x, condition: x
    splits = Splits.matching(model.config, glass(), glass(seed=1))
    return evaluate(plan(model, splits, Options(folder / "cache", count=150)))


def test_products_that_cover_as_much_as_real_ones_are_at_no_distance(found):
    share, distance = (found.figures[name] for name in ("alpha_coverage", "alpha_coverage_distance"))
    assert share.real == pytest.approx(128 / 255 / 8, abs=1e-6)
    assert distance.real == pytest.approx(0, abs=1e-9)
    made = coverage(found.context.generated.images[:150])
    assert share.value == pytest.approx(made.mean())
    assert distance.value == pytest.approx(np.abs(made - share.real).mean())
    assert (share.features, share.generated_count, share.real_count) == ("the alpha channel", 150, 240)
    assert "| alpha coverage: mean share of the picture that is product | near real |" in card(found)


def test_every_picture_shows_transparency_on_white(found):
    """Each red bar has half its strength, and nothing around it is black."""
    assert set(found.pictures) == {
        "samples.png",
        "neighbours.png",
        "interpolation.png",
        "reconstructions.png",
    }
    colours = {tuple(pixel) for pixel in np.asarray(found.pictures["reconstructions.png"]).reshape(-1, 3)}
    assert {(255, 127, 127), (255, 255, 255)} < colours
    assert (0, 0, 0) not in colours
    assert np.asarray(picture(glass(1).images[0]))[7, 0].tolist() == [255, 255, 255]


def test_the_judge_sees_all_four_channels(tmp_path):
    """The bars differ only in their alpha."""
    images = glass().images.copy()
    images[..., :3] = 0
    black = Catalogue(images, glass().labels, glass().values)
    seen = Judges(black, tmp_path)("category")(images)
    assert (seen.probabilities.argmax(1).numpy() == black.labels["category"]).mean() > 0.97


def test_models_without_transparency_have_no_such_figure(tmp_path):
    model = toy(tmp_path / "toy")
    splits = Splits.matching(model.config, bars(60), bars(60, seed=1))
    found = evaluate(plan(model, splits, Options(tmp_path / "cache")))
    assert not [name for name in found.figures if name.startswith("alpha")]


def test_the_colour_of_a_product_does_not_depend_on_its_alpha():
    assert mean_colours(glass(3).images) == pytest.approx(np.tile(to_lab([1.0, 0.0, 0.0]), (3, 1)))
    assert np.isnan(mean_colours(np.zeros((2, 8, 8, 4), np.uint8))).all()


def test_the_mean_colour_is_weighted_by_alpha():
    image = np.zeros((1, 2, 1, 4), np.uint8)
    image[0, 0, 0] = (255, 255, 255, 255)
    image[0, 1, 0] = (0, 0, 0, 85)
    assert mean_colours(image)[0] == pytest.approx([75, 0, 0], abs=1e-3)


@pytest.fixture(scope="module")
def coloured_evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coloured")
    model = toy(folder / "toy", coloured().schema(), channels=4)
    model.generator.reconstruct = lambda x, condition: x
    splits = Splits.matching(model.config, coloured(), coloured(seed=1))
    return evaluate(plan(model, splits, Options(folder / "cache", count=150)))


def test_the_distance_of_products_from_the_requested_colour_is_measured(coloured_evaluation):
    figure = coloured_evaluation.figures["colour_distance"]
    assert figure.real < 2, "a level of 255, at half the coverage"
    assert figure.value > 10
    assert (figure.generated_count, figure.real_count) == (150, 230)
    near = coloured_evaluation.figures["colour_near"]
    assert near.real == 1.0
    assert near.value < 0.8
    assert coloured_evaluation.pictures["colours.png"].width > 12 * 72


def test_only_images_whose_colour_is_known_are_reconstructed(coloured_evaluation):
    assert coloured_evaluation.figures["reconstruction_mse"].generated_count == 230
    assert "- `colour`: any colour" in card(coloured_evaluation)


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
    coloured_evaluation = evaluate(plan(model, splits, Options(tmp_path / "cache")))
    assert "colour_distance" in coloured_evaluation.figures
    assert "(which way up, 128 features)" in coloured_evaluation.figures["kid"].features


def test_data_without_the_colours_is_refused(tmp_path):
    model = toy(tmp_path, coloured().schema(), channels=4)
    with pytest.raises(ProdgenError, match="has the attribute colour; the data has category"):
        Splits.matching(model.config, glass(), glass())
