"""From a recipe and a catalogue to the networks and the way in which they are trained."""

import torch
from torch import nn

from prodgen.attributes import AttributeSchema
from prodgen.errors import ProdgenError
from prodgen.models.base import ImageGenerator
from prodgen.models.families import FAMILIES
from prodgen.models.sagan import SAGANGenerator
from prodgen.training.gan import Gan
from prodgen.training.method import Method
from prodgen.training.recipe import Recipe
from prodgen.training.vae import Vae
from prodgen.training.vaegan import VaeGan

METHODS = {"vae": Vae, "vaegan": VaeGan}
"""How a family is trained; as a `Gan` if it isn't listed."""


def set_up(recipe: Recipe, schema: AttributeSchema, size: int, channels: int, device: str) -> Method:
    """Fresh networks on the device; raises ProdgenError if the recipe's cannot make images of this size."""
    family = FAMILIES[recipe.family]
    widths = list(recipe.widths)
    try:
        generator = family.generator(
            attributes=schema,
            size=size,
            channels=channels,
            latent_dim=recipe.latent_dim,
            widths=widths,
            ground=recipe.ground,
            family=recipe.family,
        )
        networks: list[nn.Module] = [generator]
        if family.discriminator:
            networks.append(family.discriminator(generator.condition_dim, channels, size, widths))
    except ValueError as error:
        raise ProdgenError(f"recipe {recipe.name}: the widths do not fit the images: {error}") from None
    if isinstance(generator, SAGANGenerator):
        generator.constrain()
    for network in networks:
        network.to(device, memory_format=torch.channels_last)
    if freeze := getattr(recipe, "freeze", 0):
        for block in list(networks[1].body)[:freeze]:
            block.requires_grad_(False)
    return METHODS.get(recipe.family, Gan)(recipe, *networks)


def adopt(generator: ImageGenerator, source: ImageGenerator) -> list[str]:
    """Take over what fits of a trained generator -> the names of what does not, and so begins anew.

    New categories change only the parts that see the condition; all the rest is kept.
    """
    own, given = generator.state_dict(), source.state_dict()
    fitting = {name: given[name] for name in own if name in given and given[name].shape == own[name].shape}
    generator.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]
