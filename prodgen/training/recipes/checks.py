"""Check whether a recipe fits the data, the processes and a pretrained model, without building networks."""

from prodgen.errors import ProdgenError
from prodgen.spec.model_config import ModelConfig, coarsest_side
from prodgen.training.recipes.recipe import Recipe, check_channels

HELPERS_LEAST_SIDE = 64
"""Least side in pixels of images that helpers see."""


def check_recipe(recipe: Recipe, size: int, channels: int, images: int, processes: int = 1) -> None:
    """Check that a recipe can train on ``images`` images of size x size pixels with ``processes`` processes.

    Raises ProdgenError, which names the recipe's field to change, if it cannot.
    """
    if images < recipe.batch:
        raise ProdgenError(
            f"the data holds {images} images, fewer than a batch of {recipe.batch}", param="batch"
        )
    try:
        coarsest_side(size, recipe.widths)
    except ValueError as error:
        raise ProdgenError(
            f"recipe {recipe.name}: the widths do not fit the images: {error}", param="widths"
        ) from None
    for field in ("transform", "augment"):
        check_channels(getattr(recipe, field, ""), channels)
    if recipe.recolour and channels != 4:
        raise ProdgenError("recolour is for cut-outs with a known colour; leave it out", param="recolour")
    if getattr(recipe, "helpers", None) and size < HELPERS_LEAST_SIDE:
        raise ProdgenError(
            f"helpers see too little in images of {size} pixels; leave them out, or train with "
            f"{HELPERS_LEAST_SIDE} pixels or more",
            param="helpers",
        )
    # Half of a VAE-GAN's batch is reconstructed and half is sampled: each process takes its rows of both.
    parts = processes * (2 if recipe.family == "vaegan" and processes > 1 else 1)
    divisor = parts * recipe.accumulate
    if recipe.batch % divisor:
        in_parts = f" in {recipe.accumulate} parts" if recipe.accumulate > 1 else ""
        raise ProdgenError(
            f"a batch of {recipe.batch}{in_parts} cannot be divided among {processes} processes; "
            f"take a multiple of {divisor}",
            param="batch",
        )


def added_blocks(config: ModelConfig, recipe: Recipe, size: int) -> int:
    """Return how many blocks a training of images of ``size`` pixels adds to a model of the family resnet.

    Each new block comes after the model's blocks, has a width of its own, and doubles the side of the images.
    Returns 0 if recipe and model differ in other ways too.
    """
    wanted = list(recipe.widths)
    own = list(config.model_dump().get("widths", wanted))
    added = len(wanted) - len(own)
    grows = added > 0 and wanted[: len(own)] == own and size == config.size * 2**added
    return added if grows and config.family == recipe.family == "resnet" else 0


def check_pretrained(config: ModelConfig, ref: str, recipe: Recipe, size: int, channels: int) -> None:
    """Check that a training can start from model ``ref``. Raises ProdgenError that names what to set."""
    families = {config.family, recipe.family}
    if len(families) > 1 and families != {"vae", "vaegan"}:  # these two have the same generator
        raise ProdgenError(
            f"{ref} is of family {config.family}, the recipe of {recipe.family}; take both of one family",
            param="from",
        )
    given = config.model_dump()
    wanted = {"latent_dim": recipe.latent_dim, "channels": channels}
    if not added_blocks(config, recipe, size):
        wanted = {"widths": list(recipe.widths), **wanted, "size": size}
    elif getattr(recipe, "freeze", 0):
        raise ProdgenError(
            f"freeze would keep new blocks as they are, because the recipe makes larger images than {ref}; "
            "leave it out",
            param="freeze",
        )
    for name, value in wanted.items():
        if given.get(name, value) != value:
            raise ProdgenError(
                f"{ref} has {name} = {given[name]}, but the recipe has {value}; set the same "
                f"value by --set {name}={str(given[name]).replace(' ', '')}",
                param="from",
            )


def check_freeze(recipe: Recipe, *, has_discriminator: bool) -> None:
    """Raise ProdgenError if a recipe freezes discriminator blocks without a pretrained discriminator."""
    if getattr(recipe, "freeze", 0) and not has_discriminator:
        raise ProdgenError(
            "freeze is for a pretrained discriminator; start --from a model that has one",
            param="freeze",
        )
