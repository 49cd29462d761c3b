"""Build the networks of a recipe, with random or pretrained weights, and the method that trains them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.models import SavedModel, load_model
from prodgen.models.condition import columns
from prodgen.models.layers import Conditioned
from prodgen.models.resnet import SAGANGenerator
from prodgen.models.saved import FAMILIES, find_model
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.model_config import DISCRIMINATOR
from prodgen.training import checkpoint
from prodgen.training.methods.gan import Gan
from prodgen.training.methods.method import Method
from prodgen.training.methods.vae import Vae
from prodgen.training.methods.vaegan import VaeGan
from prodgen.training.recipes.checks import added_blocks, check_pretrained
from prodgen.training.recipes.recipe import Recipe

POWER_ITERATIONS = 15
"""Number of power iterations that compute the spectral norm of a new matrix exactly enough."""

Column = tuple[str, str]
"""The meaning of one number of a condition: an attribute's name and its column."""


@dataclass(frozen=True)
class Pretrained:
    """A trained generator, and the weights of its discriminator, or None if these were not saved."""

    model: SavedModel
    discriminator: dict[str, Tensor] | None = None


def find_pretrained(ref: str) -> Pretrained:
    """Load a model by its name, its folder or the folder of its training.

    Raises ProdgenError if the model is missing or broken.
    """
    training = Path(ref)
    folder, name = find_model(str(training / "model") if (training / "model").is_dir() else ref)
    path = folder / DISCRIMINATOR
    try:
        discriminator = load_file(path) if path.is_file() else None
    except (SafetensorError, OSError) as error:
        raise ProdgenError(f"{path} is broken: {error}", param="from") from None
    if discriminator is None and (best := training / checkpoint.BEST).is_file():  # saved by an older version
        discriminator = checkpoint.load(best)["run"]["modules"].get("discriminator")
    return Pretrained(load_model(folder, name), discriminator)


def transfer_weights(
    network: nn.Module, trained: dict[str, Tensor], old_schema: AttributeSchema, schema: AttributeSchema
) -> None:
    """Load weights trained with attributes ``old_schema`` into ``network``, whose attributes are ``schema``.

    An attribute value that both schemas have keeps its weights. A new value starts from the mean of the
    weights of its attribute's old values, or from the network's random weights if there are no old values.
    """
    own = network.state_dict()
    weights = {name: trained[name] for name in own if name in trained}
    conditioned = [(path, m) for path, m in network.named_modules() if isinstance(m, Conditioned)]
    for path, _ in conditioned:
        for name in (f"{path}.weight", f"{path}.parametrizations.weight.original"):
            if name in weights:
                weights[name] = _replace_columns(
                    weights[name], own[name], columns(old_schema), columns(schema)
                )
    # Spectral norm's vectors for a condition of another length are left out; the layers compute them below.
    network.load_state_dict({n: t for n, t in weights.items() if t.shape == own[n].shape}, strict=False)
    for _, layer in conditioned:
        for _ in range(POWER_ITERATIONS):
            _ = layer.weight


def _replace_columns(
    trained: Tensor, random: Tensor, old_columns: list[Column], new_columns: list[Column]
) -> Tensor:
    """Return ``trained`` (out, inputs + len(old_columns)), adapted to (out, inputs + len(new_columns)).

    A new column gets the mean of its attribute's old columns. If there are none, it keeps its values in
    ``random``.
    """
    inputs = trained.shape[1] - len(old_columns)
    known = dict(zip(old_columns, trained[:, inputs:].unbind(1), strict=True))

    def weights_of(column: Column, initial: Tensor) -> Tensor:
        siblings = [weights for (attribute, _), weights in known.items() if attribute == column[0]]
        return known.get(column, torch.stack(siblings).mean(0) if siblings else initial)

    pairs = zip(new_columns, random[:, inputs:].unbind(1), strict=True)
    return torch.cat([trained[:, :inputs], *(weights_of(*pair)[:, None] for pair in pairs)], 1)


def _moved(discriminator: dict[str, Tensor], added: int) -> dict[str, Tensor]:
    """Return a discriminator's weights under the names that they have in a larger discriminator.

    The larger discriminator has ``added`` more blocks, before the other blocks.
    """
    weights = {}
    for name, tensor in discriminator.items():
        part, dot, rest = name.partition(".")
        if added and part == "body":
            number, _, rest = rest.partition(".")
            part = f"body.{int(number) + added}"
        weights[part + dot + rest] = tensor
    return weights


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
    options = {"upsampling": recipe.upsampling} if recipe.family in ("resnet", "sagan") else {}
    try:
        generator = family.generator(
            attributes=schema,
            size=size,
            channels=channels,
            latent_dim=recipe.latent_dim,
            widths=widths,
            ground=recipe.ground,
            family=recipe.family,
            **options,
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
            added = added_blocks(pretrained.model.config, recipe, size)
            transfer_weights(networks[1], _moved(pretrained.discriminator, added), old_schema, schema)
    if isinstance(generator, SAGANGenerator):
        generator.constrain()
    for network in networks:
        network.to(device, memory_format=torch.channels_last)
    if freeze := getattr(recipe, "freeze", 0):
        for block in list(networks[1].body)[:freeze]:
            block.requires_grad_(False)
    return METHODS.get(recipe.family, Gan)(recipe, *networks)
