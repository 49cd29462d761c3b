"""The model families by name, each with its generator class and its discriminator class."""

from dataclasses import dataclass

from prodgen.models.base import ImageGenerator, ProjectionDiscriminator
from prodgen.models.dcgan import DCGANDiscriminator, DCGANGenerator
from prodgen.models.r3gan import R3GANDiscriminator, R3GANGenerator
from prodgen.models.resnet import ResNetDiscriminator, ResNetGenerator
from prodgen.models.sagan import SAGANDiscriminator, SAGANGenerator
from prodgen.models.vae import VAE


@dataclass(frozen=True)
class Family:
    """The network classes of a family. ``discriminator`` is None if the family is trained without one."""

    generator: type[ImageGenerator]
    discriminator: type[ProjectionDiscriminator] | None = None


FAMILIES = {
    "dcgan": Family(DCGANGenerator, DCGANDiscriminator),
    "resnet": Family(ResNetGenerator, ResNetDiscriminator),
    "sagan": Family(SAGANGenerator, SAGANDiscriminator),
    "r3gan": Family(R3GANGenerator, R3GANDiscriminator),
    "vae": Family(VAE),
    "vaegan": Family(VAE, ResNetDiscriminator),
}
