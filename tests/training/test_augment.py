"""What a user would lose: what augmentation is for, without a trace of it in what is generated."""

import pytest
import torch

from prodgen.errors import ProdgenError
from prodgen.training.methods.augment import ADAPTATION_IMAGES, AUGMENTATIONS, Augment

X = torch.rand(16, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_augmentation_keeps_shape_and_range_and_lets_the_gradient_through(name, channels):
    if name == "saturation" and channels == 1:
        pytest.skip("grey has none")
    torch.manual_seed(0)
    x = torch.rand(16, channels, 16, 16)
    if channels == 4:
        x[:, :3] *= x[:, 3:]
    x = (x * 2 - 1).requires_grad_()
    seen = Augment(name, channels)(x)
    assert seen.shape == x.shape
    assert seen.abs().max() <= 1.0 + 1e-5
    assert not torch.equal(seen, x)
    seen.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_translation_keeps_every_pixel_as_sharp_as_it_was():
    torch.manual_seed(0)
    levels = set(X.flatten().tolist())
    seen = ((Augment("translation", 1)(X) + 1) / 2).flatten()
    near = torch.tensor(sorted(levels))
    kept = torch.cat([(near + 1) / 2, torch.zeros(1)])
    assert (seen[:, None] - kept[None]).abs().min(1).values.max() < 1e-5


@pytest.mark.parametrize("name", ["translation", "rotation", "scale"])
def test_half_precision_around_it_changes_nothing(name):
    x, augment = torch.rand(16, 3, 64, 64) * 2 - 1, Augment(name, 3)
    torch.manual_seed(0)
    expected = augment(x)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augment(x), expected)


@pytest.mark.parametrize("name", ["translation", "rotation", "scale", "cutout"])
def test_what_moves_in_is_the_ground(name):
    torch.manual_seed(0)
    ground = torch.tensor([0xC0, 0x39, 0x2B]).view(1, 3, 1, 1) / 127.5 - 1
    x = ground.expand(20, 3, 16, 16)
    assert torch.allclose(Augment(name, 3, "#c0392b")(x), x, atol=1e-5)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_a_change_of_colours_leaves_coverage_and_ground_alone(name):
    torch.manual_seed(0)
    alpha = torch.rand(20, 1, 16, 16).where(torch.rand(20, 1, 16, 16) < 0.5, torch.tensor(0.0))
    x = torch.cat([torch.rand(20, 3, 16, 16) * alpha, alpha], 1) * 2 - 1
    seen = Augment(name, 4)(x)
    assert torch.allclose(seen[:, 3:], x[:, 3:], atol=1e-6)
    assert (seen[:, :3] <= seen[:, 3:] + 1e-6).all()  # still premultiplied
    assert (seen - x).abs().max() > 0.05


def test_grey_has_no_saturation_to_change():
    with pytest.raises(ProdgenError, match="saturation has nothing to change"):
        Augment("flip,saturation", 1)


def test_no_policy_is_no_change():
    assert torch.equal(Augment("", 1)(X), X)


def test_adaptive_augmentation_follows_the_discriminators_sureness():
    torch.manual_seed(0)
    augment = Augment("flip,cutout", 1, target=0.6)
    assert torch.equal(augment(X), X)
    sure, unsure = torch.ones(ADAPTATION_IMAGES // 100), -torch.ones(ADAPTATION_IMAGES // 200)
    for _ in range(50):
        augment.adapt(sure)
    assert float(augment.strength) == pytest.approx(0.5)
    changed = (augment(X.repeat(20, 1, 1, 1)) != X.repeat(20, 1, 1, 1)).flatten(1).any(1).float().mean()
    assert 0.2 < float(changed) < 0.5  # half are chosen; not each choice shows
    augment.adapt(unsure)
    assert float(augment.strength) == pytest.approx(0.495)
    bounded = Augment("flip,cutout", 1, target=0.6, max_strength=0.3)
    for _ in range(50):
        bounded.adapt(sure)
    assert float(bounded.strength) == pytest.approx(0.3)


def test_its_strength_is_part_of_a_checkpoint():
    assert "strength" in Augment("flip", 1, target=0.6).state_dict()
