"""Each family makes images of the promised shape and range."""

import pytest
import torch

from prodgen.models import load_model, save_model
from prodgen.models.base import ImageGenerator
from prodgen.models.resnet import SAGANGenerator
from prodgen.models.saved import FAMILIES
from prodgen.spec.attributes import AttributeSchema
from tests.toys import SCHEMA

CONDITIONS = torch.eye(5)[[0, 1, 2, 3, 4, 0]]


def make(family: str, size: int = 16, channels: int = 1, widths: list[int] | None = None, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FAMILIES[family].generator(
            attributes=options.pop("attributes", SCHEMA),
            size=size,
            channels=channels,
            latent_dim=16,
            widths=widths or [32, 16],
            family=family,
            **options,
        )


def latents(generator: ImageGenerator, count: int = 6) -> torch.Tensor:
    return torch.randn(count, generator.latent_dim, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("channels", "size", "widths"), [(1, 28, [32, 16, 16]), (3, 32, [16, 16]), (4, 64, [32, 16, 16, 16])]
)
def test_images_have_the_shape_and_range_that_the_configuration_says(family, channels, size, widths):
    generator = make(family, size, channels, widths)
    images = generator(latents(generator), CONDITIONS)
    assert images.shape == (6, channels, size, size)
    assert images.abs().max() <= 1.0
    if discriminator := FAMILIES[family].discriminator:
        assert discriminator(5, channels, size, widths)(images, CONDITIONS).shape == (6,)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_model_makes_the_same_images(family, tmp_path):
    generator = make(family).half().float().eval()
    save_model(generator, tmp_path / "model")

    loaded = load_model(tmp_path / "model")

    assert loaded.config.family == family
    z = latents(generator)
    with torch.no_grad():
        assert torch.allclose(loaded.generator(z, CONDITIONS), generator(z, CONDITIONS), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_size_that_doubling_cannot_reach_is_refused(family):
    with pytest.raises(ValueError, match="size 28 is not 3 doublings"):
        make(family, 28, widths=[16, 16, 16, 16])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_catalogue_without_attributes_can_be_learnt(family):
    generator = make(family, attributes=AttributeSchema())
    images = generator(latents(generator), torch.zeros(6, 0))
    assert images.shape == (6, 1, 16, 16)
    if discriminator := FAMILIES[family].discriminator:
        assert discriminator(0, 1, 16, [32, 16])(images, torch.zeros(6, 0)).shape == (6,)


@pytest.mark.parametrize("family", [f for f in FAMILIES if FAMILIES[f].discriminator and f != "dcgan"])
def test_a_discriminators_logits_depend_on_the_image_and_its_condition_alone(family):
    discriminator = FAMILIES[family].discriminator(5, 1, 16, [32, 16]).eval()
    images = torch.rand(6, 1, 16, 16) * 2 - 1
    together = discriminator(images, CONDITIONS)
    alone = torch.cat([discriminator(images[k : k + 1], CONDITIONS[k : k + 1]) for k in range(6)])
    assert torch.allclose(together, alone, atol=1e-4)
    assert not torch.allclose(together, discriminator(images, CONDITIONS.flip(0)), atol=1e-4)


def test_attention_starts_as_the_identity_and_can_learn():
    generator = make("sagan")
    assert isinstance(generator, SAGANGenerator)
    attention = generator.blocks[-2]
    x = torch.randn(2, 32, 8, 8)
    assert torch.equal(attention(x, None), x)
    torch.nn.init.ones_(attention.gain)
    assert not torch.equal(attention(x, None), x)


@pytest.mark.parametrize("family", ["vae", "vaegan"])
def test_a_reconstruction_is_the_decoded_mean_code(family):
    generator = make(family).eval()
    images = torch.rand(6, 1, 16, 16) * 2 - 1
    mean, log_variance = generator.encode(images, CONDITIONS)
    assert mean.shape == log_variance.shape == (6, 8)
    assert torch.equal(generator.reconstruct(images, CONDITIONS), generator.decode(mean, CONDITIONS))


def test_the_second_stage_uses_the_whole_latent():
    generator = make("vae").eval()
    z = latents(generator)
    codes = generator.prior(z, CONDITIONS)
    for half in (slice(0, 8), slice(8, 16)):
        other = z.clone()
        other[:, half] += 1.0
        assert not torch.allclose(generator.prior(other, CONDITIONS), codes, atol=1e-3)


def test_bilinear_upsampling_leaves_no_grid_and_is_saved_with_the_model(tmp_path):
    def unevenness(generator: ImageGenerator) -> float:
        """By how much the mean step from even to odd columns differs from that of odd to even, as a ratio."""
        with torch.no_grad():
            steps = generator.eval()(latents(generator), CONDITIONS).diff(dim=3).abs().mean((0, 1, 2))
        even, odd = steps[8:-8:2].mean(), steps[9:-8:2].mean()
        return float(torch.maximum(even / odd, odd / even))

    bilinear = make("resnet", 64, widths=[64, 32, 16, 16], upsampling="bilinear")
    assert unevenness(make("resnet", 64, widths=[64, 32, 16, 16])) > 1.8
    assert unevenness(bilinear) < 1.3
    save_model(bilinear, tmp_path / "model")
    assert load_model(tmp_path / "model").config.model_dump()["upsampling"] == "bilinear"
