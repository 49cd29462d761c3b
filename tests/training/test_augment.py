"""What a user would lose: what augmentation is for, without a trace of it in what is generated."""

import pytest
import torch

from prodgen.training.augment import POLICIES, SPEED, Augment

X = torch.rand(16, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_augmentation_keeps_shape_and_range_and_lets_the_gradient_through(name, channels):
    if name == "saturation" and channels == 1:
        pytest.skip("grey has none")
    torch.manual_seed(0)
    x = (torch.rand(16, channels, 16, 16) * 2 - 1).requires_grad_()
    seen = Augment(name)(x)
    assert seen.shape == x.shape
    assert seen.abs().max() <= 1.0 + 1e-5
    assert not torch.equal(seen, x)
    seen.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_translation_keeps_every_pixel_as_sharp_as_it_was():
    torch.manual_seed(0)
    levels = set(X.flatten().tolist())
    seen = ((Augment("translation")(X) + 1) / 2).flatten()
    near = torch.tensor(sorted(levels))
    kept = torch.cat([(near + 1) / 2, torch.zeros(1)])
    assert (seen[:, None] - kept[None]).abs().min(1).values.max() < 1e-5


def test_no_policy_is_no_change():
    assert torch.equal(Augment("")(X), X)


def test_adaptive_augmentation_follows_the_discriminators_sureness():
    torch.manual_seed(0)
    augment = Augment("flip,cutout", target=0.6)
    assert torch.equal(augment(X), X)
    sure, unsure = torch.ones(SPEED // 100), -torch.ones(SPEED // 200)
    for _ in range(50):
        augment.adapt(sure)
    assert float(augment.strength) == pytest.approx(0.5)
    changed = (augment(X.repeat(20, 1, 1, 1)) != X.repeat(20, 1, 1, 1)).flatten(1).any(1).float().mean()
    assert 0.2 < float(changed) < 0.5  # half are chosen; not each choice shows
    augment.adapt(unsure)
    assert float(augment.strength) == pytest.approx(0.495)


def test_its_strength_is_part_of_a_checkpoint():
    assert "strength" in Augment("flip", target=0.6).state_dict()
