"""``prodgen train upscaler`` makes a network that ``--upscale`` takes, or refuses in one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest

from prodgen.generation.upscale import upscaler_version
from tests.cli.conftest import Run, run
from tests.evaluation.test_trunks import save_weights

__all__ = ["run"]


def cut_outs(folder: Path, size: int) -> Path:
    """Write a prepared catalogue of discs."""
    folder.mkdir()
    axis = np.arange(size) - size / 2
    disc = np.uint8(255) * (np.hypot(axis, axis[:, None]) < size / 3)
    np.save(folder / "train.npy", np.repeat(disc[None, ..., None], 4, 3).astype(np.uint8))
    (folder / "train.jsonl").write_text('{"colour": [50, 0, 0]}\n')
    catalogue = {"kind": "prepared", "format": 1, "size": size, "attributes": {}, "splits": {"train": 1}}
    (folder / "catalogue.json").write_text(json.dumps(catalogue))
    return folder


def test_a_trained_upscaler_makes_images(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, images = tmp_path / "upscaler", tmp_path / "images"
    monkeypatch.setenv("PRODGEN_FEATURE_WEIGHTS", str(save_weights("vgg", tmp_path, monkeypatch)))
    settings = [f"--set={text}" for text in ("steps=2", "batch=1", "features_weight=0.01", "features_from=1")]
    done = run("train", "upscaler", "--data", cut_outs(tmp_path / "data", 96), "--out", out, *settings)
    assert done.code == 0, done.err
    bundled = upscaler_version()
    monkeypatch.setenv("PRODGEN_UPSCALER", str(out / "model.safetensors"))
    done = run("generate", "clothing", "--upscale", "4", "--out", images)
    line = json.loads((images / "manifest.jsonl").read_text())
    assert line["finish"] == {"upscale": 4}
    assert line["upscaler"] == upscaler_version() != bundled


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "the upscaler learns from cut-outs of 96 pixels or more; use --size 256"),
        (["--set", "step=1"], "there is no field step"),
        (["--from", "nowhere"], "nowhere/model.safetensors has no weights of an upscaler"),
        (["--queue"], "the upscaler is trained here: name a folder with --out, without --queue"),
    ],
)
def test_a_training_that_cannot_be_is_refused(run: Run, tmp_path: Path, words: list[str], fault: str) -> None:
    data = cut_outs(tmp_path / "data", 96 if words else 64)
    done = run("train", "upscaler", "--data", data, "--out", tmp_path / "out", *words)
    assert (done.code, fault in done.err) == (2, True), done.err
