"""Figures of Inception are those of the published network."""

import hashlib
import pickle
import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from prodgen.errors import NotFound, ProdgenError
from prodgen.evaluation import inception as module
from prodgen.evaluation.inception import as_rgb, inception

EXTRACTOR = """
import torch
from torch import nn

from torch_fidelity.helper import OUTPUTS

URL_INCEPTION_V3 = "https://example.org/weights-6726825d.pth"


class FeatureExtractorInceptionV3(nn.Module):
    def __init__(self, name, features_list, feature_extractor_weights_path):
        super().__init__()
        assert features_list == OUTPUTS
        self.linear = nn.Linear(3, 4)
        self.head = nn.Linear(4, 3, bias=False)
        self.load_state_dict(torch.load(feature_extractor_weights_path, weights_only=False))

    def forward(self, x):
        assert x.dtype == torch.uint8
        assert x.shape[1] == 3
        features = self.linear(x.float().mean((2, 3)))
        return features, self.head(features)
"""


def small_weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "linear.weight": torch.randn(4, 3),
        "linear.bias": torch.randn(4),
        "head.weight": torch.randn(3, 4),
    }


@pytest.fixture
def fidelity(tmp_path, monkeypatch):
    """torch-fidelity's layout, with four features and three classes, where torchvision cannot be imported."""
    package = tmp_path / "site" / "torch_fidelity"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    (package / "helper.py").write_text("OUTPUTS = ['2048', 'logits_unbiased']\n")
    (package / "feature_extractor_inceptionv3.py").write_text(EXTRACTOR)
    for name in [name for name in sys.modules if name.startswith("torch_fidelity")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(package.parent)
    yield
    for name in [name for name in sys.modules if name.startswith("torch_fidelity")]:
        del sys.modules[name]


@pytest.fixture
def file(tmp_path) -> Path:
    torch.save(small_weights(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def pixels(channels: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (6, 8, 8, channels)).astype(np.uint8)


@pytest.mark.parametrize(
    ("channels", "brought"),
    [(1, "grey repeated to RGB"), (3, "TensorFlow 1"), (4, "transparency laid on white")],
)
def test_a_local_file_gives_features_and_probabilities_of_any_images(fidelity, file, channels, brought):
    network = inception(file, channels, "cpu")
    seen = network(pixels(channels))
    assert seen.values.shape == (6, 4)
    assert torch.allclose(seen.probabilities.sum(1), torch.ones(6))
    assert network.resizer.endswith(brought)


def test_the_rest_of_the_package_is_not_imported(fidelity, file):
    inception(file, 1, "cpu")
    assert "torch_fidelity" not in sys.modules


def test_other_weights_do_not_get_the_name_of_the_published_ones(fidelity, file, monkeypatch):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert inception(file, 1, "cpu").name == f"Inception-v3, weights {digest[:6]}"
    monkeypatch.setattr(module, "PUBLISHED", digest[:8])
    assert inception(file, 1, "cpu").name == "Inception-v3, FID weights"


def test_published_weights_are_downloaded_and_checked(fidelity, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda url, **o: asked.update(url=url, **o) or small_weights()
    )
    assert inception(None, 1, "cpu").name == "Inception-v3, FID weights"
    assert asked["url"].endswith("weights-6726825d.pth")
    assert asked["check_hash"]
    assert asked["weights_only"]


def test_without_a_network_the_error_says_which_file_to_download(fidelity, monkeypatch):
    def refuse(url, **_):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    with pytest.raises(NotFound, match=r"download https://example.org/\S+ .* --inception-weights"):
        inception(None, 1, "cpu")


def test_without_the_package_the_error_says_what_to_install(monkeypatch, file):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.delitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", raising=False)
    with pytest.raises(ProdgenError, match="pip install torch-fidelity"):
        inception(file, 1, "cpu")


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("bomb"),))


def test_code_in_a_file_of_weights_is_not_run(fidelity, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Bomb(), 2))
    torch.save({"linear.weight": Bomb()}, tmp_path / "zipped.pth")
    for name in ("evil.pth", "zipped.pth"):
        with pytest.raises(ProdgenError, match="is not a file of weights that PyTorch can read safely"):
            inception(tmp_path / name, 1, "cpu")
    assert not (tmp_path / "bomb").exists()


def test_other_files_are_refused_in_a_sentence(fidelity, tmp_path):
    with pytest.raises(NotFound, match="there is no file"):
        inception(tmp_path / "absent.pth", 1, "cpu")
    torch.save({"other": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(
        ProdgenError, match=r"does not hold the weights .* download them from https://example.org/"
    ):
        inception(tmp_path / "other.pth", 1, "cpu")


def test_every_kind_of_image_becomes_rgb():
    grey = torch.tensor([[[[7]]]], dtype=torch.uint8)
    assert as_rgb(grey).flatten().tolist() == [7, 7, 7]
    premultiplied = [[[[0, 0, 0, 0]], [[0, 100, 200, 255]], [[0, 50, 100, 128]]]]
    shown = as_rgb(torch.tensor(premultiplied, dtype=torch.uint8)).reshape(3, 3).tolist()
    assert shown == [[255, 255, 255], [0, 100, 200], [127, 177, 227]]
