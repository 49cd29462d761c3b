"""The recipes for 128 and 256 pixels train on cut-outs with colours."""

import numpy as np
import pytest
import torch

from prodgen.catalog.catalogue import Catalogue
from prodgen.training.recipes.recipe_files import load_recipe
from prodgen.training.state import TrainingState


def cut_outs(count: int, size: int) -> Catalogue:
    """Squares of one colour on a transparent ground, of two categories: large and small."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = np.zeros((count, size, size, 4), np.uint8)
    for image, label in zip(images, labels, strict=True):
        edge = size // (4 if label else 8)
        image[edge:-edge, edge:-edge] = [*rng.integers(0, 256, 3), 255]
    colours = rng.uniform(20, 80, (count, 3)).astype(np.float32)
    return Catalogue(images, {"category": labels}, {"category": ("large", "small")}, {"colour": colours})


@pytest.mark.parametrize(
    ("name", "size", "steps"),
    [
        ("clothing-128", 128, 20),
        ("clothing-128-gpu", 128, 20),
        ("clothing-256-gpu", 256, 2),
        ("clothing-256-r3gan", 256, 2),
    ],
)
def test_a_recipe_for_large_images_trains(name: str, size: int, steps: int) -> None:
    narrow = [16, 16, *[8] * (len(load_recipe(name, []).widths) - 2)]
    small = [f"widths={narrow}", f"batch={512 // size}", "accumulate=1", "steps=20", "compile=false"]
    state = TrainingState(load_recipe(name, small), cut_outs(16, size), "cpu")
    before = {key: tensor.clone() for key, tensor in state.method.generator.state_dict().items()}
    for _ in range(steps):
        losses = state.advance()
    assert all(bool(loss.isfinite().all()) for loss in losses.values())
    assert state.is_finite()
    moved = [k for k, v in state.method.generator.named_parameters() if not torch.equal(v, before[k])]
    assert len(moved) == len(list(state.method.generator.parameters()))
    with torch.inference_mode():
        images = state.ema.model(torch.zeros(2, state.recipe.latent_dim), state.batches.conditions(2))
    assert images.shape == (2, 4, size, size)
