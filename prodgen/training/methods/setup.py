"""Build the networks of a recipe, and the training method that trains these networks."""

import torch
from torch import nn

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.models.families import FAMILIES
from prodgen.models.sagan import SAGANGenerator
from prodgen.training.methods.gan import Gan
from prodgen.training.methods.method import Method
from prodgen.training.methods.transfer import Pretrained, transfer_weights
from prodgen.training.methods.vae import Vae
from prodgen.training.methods.vaegan import VaeGan
from prodgen.training.recipes.checks import check_pretrained
from prodgen.training.recipes.recipe import Recipe

METHODS = {"vae": Vae, "vaegan": VaeGan}
"""The training method of each family. A family that is not listed uses `Gan`."""


def set_up(recipe: Recipe, catalogue: Catalogue, device: str, pretrained: Pretrained | None = None) -> Method:
    """Return the recipe's training method, with networks on the device and random or ``pretrained`` weights.

    Raises ProdgenError if the networks cannot make images of this size, or differ from the pretrained
    networks.
    """
    size, channels = catalogue.images.shape[1], catalogue.images.shape[3]
    schema = catalogue.schema()
    if pretrained:
        check_pretrained(pretrained.model.config, pretrained.model.id, recipe, size, channels)
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
    if pretrained:
        old_schema = pretrained.model.config.attributes
        transfer_weights(generator, pretrained.model.generator.state_dict(), old_schema, schema)
        if pretrained.discriminator and family.discriminator:
            transfer_weights(networks[1], pretrained.discriminator, old_schema, schema)
    if isinstance(generator, SAGANGenerator):
        generator.constrain()
    for network in networks:
        network.to(device, memory_format=torch.channels_last)
    if freeze := getattr(recipe, "freeze", 0):
        for block in list(networks[1].body)[:freeze]:
            block.requires_grad_(False)
    return METHODS.get(recipe.family, Gan)(recipe, *networks)
