"""One command measures a model, or says in a sentence why it cannot."""

import json
import shutil

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from prodgen.catalog.formats import open_catalogue
from prodgen.cli.evaluate import evaluate as command
from prodgen.errors import NotFound, ProdgenError
from prodgen.settings import settings
from prodgen.spec.attributes import AttributeSchema
from tests.evaluation.toy_data import bars, write_pictures
from tests.toys import SCHEMA, toy_folder, write_catalogue

PICTURES = {"samples.png", "neighbours.png", "interpolation.png"}


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


def test_json_output_is_what_the_file_has(run, model, data, tmp_path):
    done = run(model, "--data", data, "--out", tmp_path / "out", "--count", 140, "--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "metrics.json").read_text())


def test_a_model_without_attributes_is_measured_without_labels(run, tmp_path):
    model = toy_folder(tmp_path / "toy", size=8, schema=AttributeSchema())
    photographs = write_pictures(tmp_path / "photographs", train=bars(150), test=bars(140, seed=1))
    out = tmp_path / "out"
    done = run(model, "--data", photographs, "--out", out)
    assert done.exit_code == 0
    assert {path.name for path in out.iterdir()} == PICTURES | {"metrics.json", "card.md"}
    found = json.loads((out / "metrics.json").read_text())
    assert set(found["figures"]) == {
        *("fid", "kid", "precision", "recall", "density", "coverage", "memorised_share", "nearest_median")
    }
    assert "(which way up, 128 features)" in found["figures"]["fid"]["features"]
    left_out = (
        "the Inception Score: ",
        "agreement with the requested attributes: ",
        "the classification accuracy",
    )
    for reason, start in zip(found["left_out"], left_out, strict=True):
        assert reason.startswith(start)
        assert f"- {reason}.\n" in (out / "card.md").read_text()


def test_bad_input_is_refused_before_anything_is_written(run, model, data, tmp_path):
    def refused(*words: object, because: str, model: object = model, data: object = data) -> None:
        with pytest.raises(ProdgenError, match=because):
            run(model, "--data", data, "--out", tmp_path / "out", *words)
        assert not (tmp_path / "out").exists()

    refused("--features", "resnet", because="no features 'resnet'; known are domain, inception")
    refused("--inception-weights", "x.pth", because="--inception-weights is for --features inception")
    refused(
        "--features", "inception", "--inception-weights", tmp_path / "none", because="torch-fidelity|no file"
    )
    refused("--count", 9, because="needs at least 10 images; --count is 9")
    refused(data=tmp_path / "nowhere", because="there is no folder")
    refused(model=tmp_path / "nobody", because="there is no model")
    other = toy_folder(tmp_path / "other", size=8, schema=SCHEMA)
    refused(model=other, because="only one of them has")


def test_data_of_another_size_is_refused_without_resize(run, model, tmp_path):
    larger = write_catalogue(tmp_path / "larger", count=160, size=12)
    with pytest.raises(ProdgenError, match=r"makes 8x8 .* has 12x12 images of 1; --resize converts them"):
        run(model, "--data", larger, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert run(model, "--data", larger, "--out", tmp_path / "out", "--resize").exit_code == 0
    assert "--data DIR --resize --features domain" in (tmp_path / "out" / "card.md").read_text()


def test_data_without_a_test_split_is_refused(run, tmp_path):
    photographs = write_pictures(tmp_path / "photographs", train=bars(20), test=bars(20))
    shutil.rmtree(photographs / "test")
    model = toy_folder(tmp_path / "toy", size=8, schema=AttributeSchema())
    with pytest.raises(NotFound, match="needs a test split, of images that the model was not trained on"):
        run(model, "--data", photographs, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
