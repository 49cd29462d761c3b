"""Networks learn what the papers say."""

import math

import pytest
import torch
from torch import nn

from prodgen.models.resnet import ResNetDiscriminator
from prodgen.training.methods.objectives import LOSSES, divergence, likelihood, one_centred, zero_centred


@pytest.mark.parametrize("name", LOSSES)
def test_each_network_gains_where_the_other_loses(name):
    loss = LOSSES[name]
    real, fake = torch.full((4,), 0.5), torch.full((4,), -0.5)
    right, wrong = loss.discriminator(real, fake), loss.discriminator(fake, real)
    assert right < wrong
    caught, fooled = loss.generator(real, fake), loss.generator(fake, real)
    assert fooled < caught


@pytest.mark.parametrize("name", LOSSES)
def test_the_generator_learns_to_raise_its_logits(name):
    fake = torch.zeros(4, requires_grad=True)
    LOSSES[name].generator(torch.ones(4), fake).backward()
    if name != "least-squares":  # whose target is the logit of these images
        assert (fake.grad < 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_equal_logits_lose_at_least_the_chance_level(name):
    loss = LOSSES[name]
    losses = [loss.discriminator(same, same) for same in torch.linspace(-3.0, 3.0, 7).unsqueeze(1)]
    assert min(map(float, losses)) == pytest.approx(loss.chance)


class Slope(nn.Module):
    """A discriminator whose gradient at every pixel is ``slope``."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, image, condition):
        return self.slope * image.sum((1, 2, 3))


def test_penalties_measure_the_gradient():
    images = torch.rand(3, 1, 2, 2, requires_grad=True)
    logits = Slope(0.5)(images, None)
    assert float(zero_centred(logits, images)) == pytest.approx(4 * 0.25)
    assert float(one_centred(Slope(0.5), images, torch.rand(3, 1, 2, 2), None)) == pytest.approx(
        0.0, abs=1e-6
    )
    assert float(one_centred(Slope(1.5), images, torch.rand(3, 1, 2, 2), None)) == pytest.approx(4.0)


def test_body_and_direction_of_a_normalised_discriminator_learn_apart():
    """SAN: the body learns from the first logits, the direction from the second, and both are the same."""
    torch.manual_seed(0)
    discriminator = ResNetDiscriminator(3, 1, 8, [16, 8])
    images, condition = torch.rand(4, 1, 8, 8), torch.eye(3)[[0, 1, 2, 0]]
    free = discriminator(images, condition)
    discriminator.normalised = True
    discriminator.eval()  # spectral norm takes no further power iteration
    bounded = discriminator(images, condition)
    by_body, by_direction = discriminator(images, condition, apart=True)
    torch.testing.assert_close(by_body, bounded)
    torch.testing.assert_close(by_direction, bounded - discriminator.linear.bias)
    assert not torch.allclose(free, bounded)
    last, body = discriminator.linear.parametrizations.weight.original, next(discriminator.body.parameters())
    gradients = [
        torch.autograd.grad(logits.sum(), weight, retain_graph=True)[0].abs().sum() > 0
        for logits in (by_body, by_direction)
        for weight in (body, last)
    ]
    assert gradients == [True, False, False, True]


def test_divergence_is_the_textbooks_and_free_bits_cost_nothing():
    zero = torch.zeros(5, 3)
    assert float(divergence(zero, zero)) == 0.0
    assert float(divergence(zero + 1.0, zero)) == pytest.approx(1.5)
    assert float(divergence(zero, zero + math.log(4.0))) == pytest.approx(3 * 0.5 * (4 - 1 - math.log(4)))
    assert float(divergence(zero, zero, free_bits=0.25)) == pytest.approx(0.75)


def test_the_learned_deviation_converges_to_the_error():
    error, log_sigma = torch.tensor(0.04), torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.SGD([log_sigma], 0.2)
    for _ in range(300):
        optimizer.zero_grad()
        likelihood(error, log_sigma).backward()
        optimizer.step()
    assert math.exp(2 * float(log_sigma.detach())) == pytest.approx(0.04, rel=0.1)
