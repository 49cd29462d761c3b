"""What a user would lose: one command that says how good a model is, and shows it."""

import json

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from prodgen.catalog.open import open_catalogue
from prodgen.cli.evaluate import evaluate as command
from prodgen.errors import NotFound, ProdgenError
from prodgen.evaluation.card import card
from prodgen.evaluation.evaluate import Options, evaluate
from prodgen.evaluation.report import metrics, write
from prodgen.evaluation.splits import Splits
from prodgen.settings import settings
from tests.evaluation.toy_scene import bars, toy
from tests.toys import SCHEMA, toy_folder, write_catalogue

PICTURES = {"samples.png", "neighbours.png", "interpolation.png"}
DEPENDS_ON = {"features", "split", "real_count", "generated_count", "resizer"}


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """Of a toy that can reconstruct."""
    folder = tmp_path_factory.mktemp("evaluation")
    model = toy(folder / "toy")
    model.generator.reconstruct = lambda x, condition: x.flip(3)
    splits = Splits.matching(model.config, bars(), bars(seed=1))
    return evaluate(model, splits, Options(folder / "cache", count=150))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PRODGEN_MODEL_CACHE", str(tmp_path / "cache"))
    settings.cache_clear()
    app = typer.Typer()
    app.command()(command)
    yield lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    settings.cache_clear()


@pytest.fixture
def data(tmp_path):
    return write_catalogue(tmp_path / "data", count=160)


@pytest.fixture
def model(tmp_path, data):
    return toy_folder(tmp_path / "toy", size=8, schema=open_catalogue(data).schema())


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


def test_a_model_that_can_reconstruct_is_asked_to(evaluation):
    assert evaluation.figures["reconstruction_mse"].value > 0
    assert evaluation.figures["reconstruction_agreement"].value > 0.9, "a mirrored bar is where it was"
    assert "reconstructions.png" in evaluation.pictures


def test_the_same_evaluation_gives_the_same_figures(evaluation):
    again = evaluate(evaluation.scene.model, evaluation.scene.splits, evaluation.options)
    assert metrics(again) == metrics(evaluation)
    assert all(again.pictures[n].tobytes() == p.tobytes() for n, p in evaluation.pictures.items())


def test_the_card_says_it_all_and_how_to_measure_again(evaluation):
    text = card(evaluation, "# Old\n\n## Scores\n17.9\n\n## How it was trained\nslowly\n\n## Licence\nfree\n")
    assert "| top |" in text
    assert evaluation.figures["fid"].features in text
    assert "prodgen evaluate toy --data DIR --count 150 --features domain --seed 0" in text
    assert text.endswith("\n## How it was trained\nslowly\n\n## Licence\nfree\n")
    assert "17.9" not in text
    assert card(evaluation, text) == text
    for name in evaluation.pictures:
        assert f"({name})" in text


def test_a_class_without_images_is_null_in_json(evaluation, tmp_path):
    write(evaluation, tmp_path)
    text = (tmp_path / "metrics.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text


def test_one_command_writes_the_card_the_figures_and_the_pictures(run, model, data, tmp_path):
    (model / "card.md").write_text("# toy\n\n## How it was trained\nnot at all\n")
    out = tmp_path / "out"
    done = run(model, "--data", data, "--out", out, "--count", 140)
    assert done.exit_code == 0
    assert {path.name for path in out.iterdir()} == PICTURES | {"metrics.json", "card.md"}
    for name in PICTURES:
        assert Image.open(out / name).width > 200
    assert (out / "card.md").read_text().endswith("## How it was trained\nnot at all\n")
    assert json.loads((out / "metrics.json").read_text())["model"].startswith("toy@")


def test_programs_get_what_the_file_holds(run, model, data, tmp_path):
    done = run(model, "--data", data, "--out", tmp_path / "out", "--count", 140, "--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "metrics.json").read_text())


def test_too_few_images_for_the_features_are_refused_at_once(run, model, data, tmp_path):
    with pytest.raises(ProdgenError, match="128 features needs more than 128 images; --count is 128"):
        run(model, "--data", data, "--out", tmp_path / "out", "--count", 128)
    with pytest.raises(ProdgenError, match="2,048 images; the test split holds 160"):
        run(model, "--data", data, "--out", tmp_path / "out", "--features", "inception")


def test_what_does_not_fit_is_refused_in_a_sentence(run, model, data, tmp_path):
    with pytest.raises(ProdgenError, match="no features 'vgg'; known are domain, inception"):
        run(model, "--data", data, "--out", tmp_path / "out", "--features", "vgg")
    with pytest.raises(ProdgenError, match="--inception-weights is for --features inception"):
        run(model, "--data", data, "--out", tmp_path / "out", "--inception-weights", "x.pth")
    other = toy_folder(tmp_path / "other", size=8, schema=SCHEMA)
    with pytest.raises(ProdgenError, match="only one of them has"):
        run(other, "--data", data, "--out", tmp_path / "out")
    with pytest.raises(NotFound):
        run(model, "--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())
