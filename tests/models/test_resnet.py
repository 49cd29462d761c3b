"""What a user would lose: images of the promised shape and range that are nobody else's business."""

import pytest
import torch

from prodgen.models.resnet import ResNetDiscriminator, ResNetGenerator
from tests.toys import SCHEMA, toy_generator


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 28), (4, 32)])
def test_images_have_the_shape_and_range_that_the_configuration_says(channels, size):
    generator = toy_generator(channels=channels, size=size)
    images = generator(torch.randn(3, 12), torch.eye(5)[:3])
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1.0


def test_a_size_that_cannot_be_doubled_to_is_refused():
    with pytest.raises(ValueError, match="size 28 is not 3 doublings"):
        ResNetGenerator(attributes=SCHEMA, size=28, widths=[8, 8, 8, 8])


def test_what_was_asked_for_changes_the_image():
    generator = toy_generator()
    latent = torch.zeros(5, 12)
    images = generator(latent, torch.eye(5)).detach()
    assert len({image.numpy().tobytes() for image in images}) == 5


def test_a_discriminator_judges_each_image_by_itself():
    judge = ResNetDiscriminator(5, 1, [16, 8]).eval()
    images, conditions = torch.rand(6, 1, 16, 16) * 2 - 1, torch.eye(5)[[0, 1, 2, 3, 4, 0]]
    together = judge(images, conditions)
    assert together.shape == (6,)
    alone = torch.cat([judge(images[k : k + 1], conditions[k : k + 1]) for k in range(6)])
    assert torch.allclose(together, alone, atol=1e-4)
