"""The recipes for 128 and 256 pixels train on cut-outs with colours."""

import time

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
    """On a CPU with narrow networks; on a GPU as the recipe is, for 20 steps, whose cost is printed."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    narrow = [16, 16, *[8] * (len(load_recipe(name, []).widths) - 2)]
    small = [f"widths={narrow}", f"batch={512 // size}", "accumulate=1", "compile=false"]
    recipe = load_recipe(name, ["steps=20", *(small if device == "cpu" else [])])
    state = TrainingState(recipe, cut_outs(max(16, recipe.batch), size), device)
    before = {key: tensor.clone() for key, tensor in state.method.generator.state_dict().items()}
    start = time.perf_counter()
    for _ in range(steps if device == "cpu" else 20):
        losses = state.advance()
    assert all(bool(loss.isfinite().all()) for loss in losses.values())
    if device == "cuda":
        rate, memory = state.images / (time.perf_counter() - start), torch.cuda.max_memory_allocated()
        print(f"{name}: {rate:.0f} samples/s, compilation included; {memory / 2**30:.1f} GiB")
    assert state.is_finite()
    moved = [k for k, v in state.method.generator.named_parameters() if not torch.equal(v, before[k])]
    assert len(moved) == len(list(state.method.generator.parameters()))
    with torch.inference_mode():
        latents = torch.zeros(2, state.recipe.latent_dim, device=device)
        images = state.ema.model(latents, state.batches.conditions(2))
    assert images.shape == (2, 4, size, size)
