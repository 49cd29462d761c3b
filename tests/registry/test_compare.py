"""A worse model never replaces a better one, and only comparable figures are compared."""

import json
from typing import Any

import pytest

from prodgen.bundled import bundled_folders
from prodgen.registry.compare import compare, fid_figure
from tests.sample_models import evaluation

TRAINED = {"step": 5, "domain_fid": 3.2, "judge": "domain classifier abcdef", "data": "train split 0123"}


@pytest.mark.parametrize(
    ("candidate", "current", "worse"), [(5.0, 6.0, False), (6.0, 5.0, True), (5.0, 5.0, False)]
)
def test_the_lower_distance_wins(candidate: float, current: float, worse: bool) -> None:
    found = compare(evaluation(candidate), evaluation(current))
    assert found.incomparable is None
    assert found.worse == worse
    assert found.candidate
    assert found.candidate.fid == candidate


@pytest.mark.parametrize(
    ("candidate", "current", "why"),
    [
        (None, evaluation(5), "there is no Fréchet distance of the candidate"),
        (evaluation(5), {"fid": 17.5}, "there is no Fréchet distance of the current version"),
        (evaluation(None), None, "there is no Fréchet distance of the candidate and the current version"),
        (TRAINED, evaluation(5), "judged by two networks, domain classifier abcdef of the run"),
        (TRAINED, TRAINED | {"data": "train split 4567"}, "on different data, train split 0123"),
        (evaluation(5), evaluation(5) | {"data": {}}, "the metrics of the current version do not say"),
        (evaluation(5, judge="abcdef"), evaluation(6), "judged by two networks, domain classifier abcdef"),
        (evaluation(5, data="another"), evaluation(6), "on different data, test split another"),
        (evaluation(5, count=100), evaluation(6), "100 generated against 500 real) and test split"),
    ],
)
def test_the_reason_why_figures_cannot_be_compared_is_given(candidate: Any, current: Any, why: str) -> None:
    found = compare(candidate, current)
    assert why in str(found.incomparable)
    assert not found.worse


def test_the_bundled_models_compare() -> None:
    files = [folder / "metrics.json" for folder in bundled_folders()]
    metrics = {file.parent.name: json.loads(file.read_text()) for file in files if file.exists()}
    gan, vaegan = metrics["fashion-mnist"], metrics["fashion-mnist-vaegan"]
    assert compare(vaegan, gan).worse
    assert not compare(gan, vaegan).worse
    assert compare(gan, vaegan).incomparable is None
    assert "two networks" in str(compare(metrics["clothing"], gan).incomparable)


def test_the_figure_of_a_training_run_names_the_judge_of_the_run() -> None:
    figure = fid_figure(TRAINED)
    assert figure
    assert (figure.fid, figure.judge, figure.data) == (
        3.2,
        "domain classifier abcdef of the run",
        "train split 0123",
    )
    assert compare(TRAINED | {"domain_fid": 3.3}, TRAINED).worse
    assert fid_figure(TRAINED | {"domain_fid": "broken"}) is None
    assert fid_figure({"domain_fid": 3.2, "judge": "domain classifier of this run"}) is None
