"""Augmentation helps the discriminator and does not show in images."""

import pytest
import torch

from prodgen.errors import ProdgenError
from prodgen.training.methods.augment import ADAPTATION_IMAGES, AUGMENTATIONS, Augment

X = torch.rand(16, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_augmentation_keeps_shape_and_range_and_passes_gradients(name, channels):
    if name == "saturation" and channels == 1:
        pytest.skip("grey images have no saturation")
    torch.manual_seed(0)
    x = torch.rand(16, channels, 16, 16)
    if channels == 4:
        x[:, :3] *= x[:, 3:]
    x = (x * 2 - 1).requires_grad_()
    augmented = Augment(name, channels)(x)
    assert augmented.shape == x.shape
    assert augmented.abs().max() <= 1.0 + 1e-5
    assert not torch.equal(augmented, x)
    augmented.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_translation_moves_by_whole_pixels():
    torch.manual_seed(0)
    augmented = ((Augment("translation", 1)(X) + 1) / 2).flatten()
    levels = torch.cat([(X.unique() + 1) / 2, torch.zeros(1)])
    assert (augmented[:, None] - levels[None]).abs().min(1).values.max() < 1e-5


@pytest.mark.parametrize("name", ["translation", "rotation", "scale"])
def test_half_precision_does_not_change_an_augmentation(name):
    x, augment = torch.rand(16, 3, 64, 64) * 2 - 1, Augment(name, 3)
    torch.manual_seed(0)
    expected = augment(x)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augment(x), expected)


@pytest.mark.parametrize("name", ["translation", "rotation", "scale", "cutout"])
def test_the_ground_fills_the_borders(name):
    torch.manual_seed(0)
    ground = torch.tensor([0xC0, 0x39, 0x2B]).view(1, 3, 1, 1) / 127.5 - 1
    x = ground.expand(20, 3, 16, 16)
    assert torch.allclose(Augment(name, 3, "#c0392b")(x), x, atol=1e-5)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_a_change_of_colours_keeps_alpha_and_ground(name):
    torch.manual_seed(0)
    alpha = torch.rand(20, 1, 16, 16).where(torch.rand(20, 1, 16, 16) < 0.5, torch.tensor(0.0))
    x = torch.cat([torch.rand(20, 3, 16, 16) * alpha, alpha], 1) * 2 - 1
    augmented = Augment(name, 4)(x)
    assert torch.allclose(augmented[:, 3:], x[:, 3:], atol=1e-6)
    assert (augmented[:, :3] <= augmented[:, 3:] + 1e-6).all()  # still premultiplied
    assert (augmented - x).abs().max() > 0.05


def test_grey_images_refuse_saturation():
    with pytest.raises(ProdgenError, match="saturation has nothing to change"):
        Augment("flip,saturation", 1)


def test_an_empty_policy_changes_nothing():
    assert torch.equal(Augment("", 1)(X), X)


def test_adaptive_augmentation_follows_the_signs_of_logits():
    torch.manual_seed(0)
    augment = Augment("flip,cutout", 1, target=0.6)
    assert torch.equal(augment(X), X)
    positive, negative = torch.ones(ADAPTATION_IMAGES // 100), -torch.ones(ADAPTATION_IMAGES // 200)
    for _ in range(50):
        augment.adapt(positive)
    assert float(augment.strength) == pytest.approx(0.5)
    changed = (augment(X.repeat(20, 1, 1, 1)) != X.repeat(20, 1, 1, 1)).flatten(1).any(1).float().mean()
    assert 0.2 < float(changed) < 0.5  # half are chosen; some choices change nothing
    augment.adapt(negative)
    assert float(augment.strength) == pytest.approx(0.495)
    bounded = Augment("flip,cutout", 1, target=0.6, max_strength=0.3)
    for _ in range(50):
        bounded.adapt(positive)
    assert float(bounded.strength) == pytest.approx(0.3)


def test_the_strength_is_part_of_a_checkpoint():
    assert "strength" in Augment("flip", 1, target=0.6).state_dict()
