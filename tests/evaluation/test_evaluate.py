"""An evaluation gives figures, and records all that they depend on."""

import pytest

from prodgen.evaluation.evaluate import Options, evaluate, plan
from prodgen.evaluation.report import card, metrics, number, write
from prodgen.evaluation.splits import Splits
from tests.evaluation.toy_data import bars, toy

DEPENDS_ON = {"features", "split", "real_count", "generated_count", "resizer"}


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """The evaluation of a toy that can reconstruct."""
    folder = tmp_path_factory.mktemp("evaluation")
    model = toy(folder / "toy")
    model.generator.reconstruct = lambda x, condition: x.flip(3)
    splits = Splits.matching(model.config, bars(), bars(seed=1))
    return evaluate(plan(model, splits, Options(folder / "cache", count=150)))


def test_every_figure_says_what_it_depends_on(evaluation):
    figures = metrics(evaluation)["figures"]
    assert {"fid", "kid", "precision", "recall", "density", "coverage", "inception_score"} < set(figures)
    assert {"agreement_category", "cas", "cas_gap", "memorised_share", "nearest_median"} < set(figures)
    for name, figure in figures.items():
        assert set(figure) >= DEPENDS_ON | {"value", "real"}, name
        assert figure["split"] == "test", name
    assert figures["fid"]["generated_count"] == 150
    assert figures["fid"]["real_count"] == 240
    assert figures["fid"]["features"].startswith("domain classifier ")
    assert set(figures["cas"]["by_class"]) == {"top", "middle", "bottom"}


def test_real_images_score_better_than_random_weights(evaluation):
    figures = evaluation.figures
    assert figures["fid"].value > 10 * figures["fid"].real
    assert figures["coverage"].value < figures["coverage"].real
    assert figures["agreement_category"].real > 0.97 > figures["agreement_category"].value
    assert figures["cas"].real > figures["cas"].value
    assert figures["cas_gap"].value == pytest.approx(
        100 * (figures["cas"].real - figures["cas"].value), abs=1e-9
    )


def test_a_model_with_an_encoder_reconstructs(evaluation):
    assert evaluation.figures["reconstruction_mse"].value > 0
    assert evaluation.figures["reconstruction_agreement"].value > 0.9, "a mirrored bar is where it was"
    assert "reconstructions.png" in evaluation.pictures


def test_the_same_evaluation_gives_the_same_figures(evaluation):
    again = evaluate(plan(evaluation.context.model, evaluation.context.splits, evaluation.options))
    assert metrics(again) == metrics(evaluation)
    assert all(again.pictures[n].tobytes() == p.tobytes() for n, p in evaluation.pictures.items())


def test_the_card_has_all_figures_and_the_command_that_repeats_them(evaluation):
    text = card(evaluation, "# Old\n\n## Scores\n17.9\n\n## How it was trained\nslowly\n\n## Licence\nfree\n")
    assert "| top |" in text
    assert evaluation.figures["fid"].features in text
    assert "prodgen evaluate toy --data DIR --count 150 --features domain --seed 0" in text
    assert text.endswith("\n## How it was trained\nslowly\n\n## Licence\nfree\n")
    assert "17.9" not in text
    assert card(evaluation, text) == text
    for name in evaluation.pictures:
        assert f"({name})" in text


def test_small_numbers_are_shown_with_two_digits():
    """A kernel distance of Inception features is a few ten-thousandths."""
    shown = [number(x) for x in (None, 0.0, 0.00031, -0.00002, 0.25, -3.2, 1234.5)]
    assert shown == ["-", "0.0000", "0.00031", "-2e-05", "0.2500", "-3.2000", "1,234.50"]


def test_a_class_without_images_is_null_in_json(evaluation, tmp_path):
    write(evaluation, tmp_path, tmp_path / "card.md")
    text = (tmp_path / "metrics.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text


def test_manifolds_are_compared_in_equal_numbers_of_images(evaluation):
    """There are 150 generated and 240 test images; the larger set would cover more of the other."""
    figures = metrics(evaluation)["figures"]
    for name in ("precision", "recall", "density", "coverage"):
        assert figures[name]["generated_count"] == figures[name]["real_count"] == 150, name
    assert not [name for name, figure in figures.items() if "stand_in_count" in figure]


def test_a_figure_says_if_there_are_fewer_training_images_than_generated_ones(tmp_path):
    model = toy(tmp_path / "toy")
    splits = Splits.matching(model.config, bars(180), bars(seed=1))
    found = evaluate(plan(model, splits, Options(tmp_path / "cache", count=200)))
    figures = metrics(found)["figures"]
    assert (figures["fid"]["generated_count"], figures["fid"]["stand_in_count"]) == (200, 180)
    assert (figures["recall"]["real_count"], figures["recall"]["stand_in_count"]) == (200, 180)
    assert figures["cas"]["generated_count"] == 180
    assert " (of 180 images) |" in card(found)
    unasked = evaluate(plan(model, splits, Options(tmp_path / "cache")))
    assert metrics(unasked)["figures"]["fid"]["generated_count"] == 180


def test_the_frechet_distance_is_left_out_for_too_few_images(tmp_path):
    model = toy(tmp_path / "toy")
    splits = Splits.matching(model.config, bars(), bars(100, seed=1))
    found = evaluate(plan(model, splits, Options(tmp_path / "cache")))
    assert "fid" not in found.figures
    assert found.figures["kid"].value > 10 * abs(found.figures["kid"].real)
    reason = "128 features need more than 128 images; there are 240 generated and 100 real ones"
    assert reason in card(found)
    assert reason in metrics(found)["left_out"][0]
