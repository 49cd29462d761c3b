"""From a recipe and a catalogue to the networks and the way in which they are trained."""

import torch
from torch import nn

from prodgen.errors import ProdgenError
from prodgen.models.families import FAMILIES
from prodgen.models.sagan import SAGANGenerator
from prodgen.spec.attributes import AttributeSchema
from prodgen.training.methods.gan import Gan
from prodgen.training.methods.method import Method
from prodgen.training.methods.transfer import Source, take_over
from prodgen.training.methods.vae import Vae
from prodgen.training.methods.vaegan import VaeGan
from prodgen.training.recipes.fits import check_source
from prodgen.training.recipes.recipe import Recipe

METHODS = {"vae": Vae, "vaegan": VaeGan}
"""How a family is trained; as a `Gan` if it isn't listed."""


def set_up(
    recipe: Recipe,
    schema: AttributeSchema,
    size: int,
    channels: int,
    device: str,
    source: Source | None = None,
) -> Method:
    """Networks on the device, fresh or with what ``source`` has learnt.

    Raises ProdgenError if the recipe's cannot make images of this size, or are not those of the source.
    """
    if source:
        check_source(source.model.config, source.model.ref, recipe, size, channels)
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
    if source:
        was = source.model.config.attributes
        take_over(generator, source.model.generator.state_dict(), was, schema)
        if source.discriminator and family.discriminator:
            take_over(networks[1], source.discriminator, was, schema)
    if isinstance(generator, SAGANGenerator):
        generator.constrain()
    for network in networks:
        network.to(device, memory_format=torch.channels_last)
    if freeze := getattr(recipe, "freeze", 0):
        for block in list(networks[1].body)[:freeze]:
            block.requires_grad_(False)
    return METHODS.get(recipe.family, Gan)(recipe, *networks)
