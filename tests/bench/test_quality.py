"""The comparison with public peers continues if one of them fails."""

import json
from pathlib import Path

import pytest

from prodgen.settings import settings
from tests.bench import contestants, quality
from tests.bench.contestants import family, peer
from tests.bench.environments import Environment, Unavailable, run
from tests.toys import write_catalogue

RECIPE = """
name = "tiny"
family = "resnet"
widths = [16, 8]
latent_dim = 16
batch = 16
steps = 1
"""


@pytest.fixture(scope="module")
def compete(tmp_path_factory):
    """`python -m tests.bench.quality` with a family of ours and a peer whose environment cannot be made."""
    folder = tmp_path_factory.mktemp("bench")
    data, out = write_catalogue(folder / "data", count=160), folder / "out"
    (folder / "tiny.toml").write_text(RECIPE)
    out.mkdir()
    (out / "environments").write_text("a file where the folder should be")
    taking_part = {
        "broken": peer(Environment("broken", ("numpy",), "import numpy"), "sngan.py"),
        "ours": family(str(folder / "tiny.toml")),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRODGEN_MODEL_CACHE", str(folder / "cache"))
        settings.cache_clear()
        patch.setattr(quality, "CONTESTANTS", taking_part)
        patch.setattr(contestants, "COUNT", 150)
        patch.setattr("prodgen.training.watch.review.EVALUATION_IMAGES", 200)

        def run_bench(as_json: bool = False) -> Path:
            quality.main(data, out, samples=64, only=["broken", "ours"], threads=1, as_json=as_json)
            return out

        yield run_bench
    settings.cache_clear()


def test_a_peer_that_cannot_take_part_is_reported_and_the_others_are_judged(compete, capsys):
    out = compete()
    rows = {row["name"]: row for row in json.loads((out / "results.json").read_text())}
    assert set(rows) == {"real images", "ours", "broken"}
    assert "environments" in rows["broken"]["problem"]
    assert rows["ours"]["samples"] == 64
    assert rows["ours"]["seconds"] > 0
    assert rows["real images"]["figures"]["fid"] < rows["ours"]["figures"]["fid"]
    assert {"fid", "kid", "precision", "recall", "coverage", "agreement"} == set(rows["ours"]["figures"])
    table, shown = (out / "table.md").read_text(), capsys.readouterr().out
    for name in rows:
        assert f"| {name} |" in table
        assert name in shown
    assert "160 test images, judged by domain classifier" in table


def test_what_has_been_judged_is_not_judged_again(compete, capsys, monkeypatch):
    first = (compete() / "results.json").read_text()
    monkeypatch.setitem(quality.CONTESTANTS, "ours", lambda task, folder: pytest.fail("trained again"))
    capsys.readouterr()
    assert (compete(as_json=True) / "results.json").read_text() == first
    assert json.loads(capsys.readouterr().out) == json.loads(first)


def test_rows_of_another_judge_are_not_in_the_table(compete):
    out = compete()
    for path in (out / "rows").glob("ours*.json"):
        row = json.loads(path.read_text())
        path.write_text(json.dumps(row | {"judged": "by somebody else", "figures": {"fid": 0.0}}))
    rows = {row["name"]: row for row in json.loads((compete() / "results.json").read_text())}
    assert rows["ours"]["figures"]["fid"] > 0
    assert rows["ours"]["judged"] == rows["real images"]["judged"]


def test_a_program_that_is_not_there_is_a_reason_like_any_other():
    with pytest.raises(Unavailable, match="no-such-python"):
        run(["/no-such-python", "-c", "pass"])
