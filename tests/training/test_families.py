"""Each family of models trains, with each loss that it has."""

import json

import pytest
import torch

from prodgen.models import load_model
from prodgen.models.saved import FAMILIES
from prodgen.training.export import export
from prodgen.training.methods import method
from tests.training.conftest import never, quiet

RECIPES = {
    "dcgan": {"loss": "non-saturating"},
    "resnet": {"augment": "translation,cutout", "adaptive": 0.6, "discriminator_steps": 2, "drop": 0.3},
    "sagan": {"consistency": 1.0, "augment": "flip", "san": True},
    "r3gan": {
        "loss": "relativistic",
        "r1": 0.1,
        "r2": 0.1,
        "precision": "bf16",
        "augment": "flip,translation",
        "augment_share": 0.5,
        "burn_in": 0.8,
    },
    "vae": {"accumulate": 2, "transform": "flip"},
    "vaegan": {"precision": "bf16"},
}
"""A recipe for each family; together they use nearly every key."""


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_in_half_precision_where_the_device_has_it(make_trainer, monkeypatch, family):
    """Force bf16 on any CPU: an error there would be an error on a GPU."""
    monkeypatch.setattr(method, "has_bf16", lambda device: True)
    state = make_trainer(family=family, **{**RECIPES[family], "precision": "bf16"}).state
    seen = set()
    for layer in state.method.generator.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda _, inputs, output: seen.add(output.dtype))
    losses = [state.advance() for _ in range(2)][-1]
    assert seen == {torch.bfloat16}
    assert all(loss.isfinite() for loss in losses.values())
    assert {p.dtype for p in state.method.generator.parameters()} == {torch.float32}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_ends_as_a_model_that_anyone_can_use(make_trainer, family, tmp_path):
    trainer = make_trainer(family=family, **RECIPES[family])
    trainer.train(quiet, never)
    export(trainer, tmp_path / "model")

    model = load_model(tmp_path / "model")

    assert model.config.family == family
    images = model.generator(torch.randn(3, model.config.latent_dim), torch.eye(10)[:3])
    assert images.shape == (3, 1, 16, 16)
    files = sorted(path.name for path in (tmp_path / "model").iterdir())
    weights = ["discriminator.safetensors"] * bool(FAMILIES[family].discriminator)
    assert files == ["card.md", "config.json", *weights, "metrics.json", "model.safetensors", "samples.png"]
    assert f'family = "{family}"' in (tmp_path / "model" / "card.md").read_text()
    assert json.loads((tmp_path / "model" / "metrics.json").read_text())["step"] in (4, 6)
    assert (trainer.folder / "samples" / "0000004.png").is_file()
    assert any((trainer.folder / "tensorboard").iterdir())


@pytest.mark.parametrize("family", ["vae", "vaegan"])
def test_a_warm_up_changes_the_first_steps_of_an_autoencoder(make_trainer, family):
    full, rising = (
        make_trainer(f"{share}", family=family, beta=5.0, warm_up=share).state for share in (0.0, 1.0)
    )
    for state in (full, rising):
        for _ in range(2):
            state.advance()
    pairs = zip(full.method.generator.parameters(), rising.method.generator.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_the_loss_of_an_autoencoder_falls(make_trainer):
    state = make_trainer(family="vae", steps=80, batch=32, decay=0.0).state
    first, last = [float(state.advance()["reconstruction"]) for _ in range(80)][::79]
    assert last < 0.5 * first


@pytest.mark.parametrize("loss", ["wasserstein", "least-squares"])
def test_every_loss_can_train(make_trainer, loss):
    trainer = make_trainer(loss=loss, gradient_penalty=10.0 if loss == "wasserstein" else 0.0, steps=2)
    trainer.train(quiet, never)
    assert all(bool(p.isfinite().all()) for p in trainer.state.method.generator.parameters())


def test_parts_of_a_batch_add_up_to_the_whole(make_trainer):
    plain = {"family": "vae", "beta": 0.0, "steps": 1}
    weights = []
    for parts in (1, 4):
        state = make_trainer(f"parts-{parts}", accumulate=parts, **plain).state
        generator = state.method.generator
        generator.eval()  # batch statistics would differ: they are of a part
        torch.nn.init.constant_(generator.to_code.weight, 0.0)
        torch.nn.init.constant_(generator.to_code.bias, -12.0)  # codes with hardly any noise
        torch.nn.init.constant_(generator.to_code.bias[:8], 0.5)
        state.advance()
        weights.append(generator.to_pixels.weight.detach().clone())
    assert torch.allclose(weights[0], weights[1], atol=1e-4)
