"""Whether a recipe fits the images and the processes that are to train it, told before anything is built."""

from prodgen.errors import ProdgenError
from prodgen.spec.model_config import ModelConfig, coarsest_side
from prodgen.training.recipes.policies import check_channels
from prodgen.training.recipes.recipe import Recipe

GENERATORS = {"vaegan": "vae"}
"""The family whose generator it is, where that is another's."""


def check_fits(recipe: Recipe, size: int, channels: int, images: int, processes: int = 1) -> None:
    """Raises ProdgenError with what is in the way.

    ``images``: of the training split, each ``size`` pixels a side with ``channels``. ``processes``: among
    which every part of a batch is divided.
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
        raise ProdgenError(
            "recolour is for cut-outs of which the colour is known; leave it out", param="recolour"
        )
    _check_divides(recipe, processes)


def check_source(config: ModelConfig, ref: str, recipe: Recipe, size: int, channels: int) -> None:
    """Raises ProdgenError, naming what to set, unless a run can begin with the weights of ``ref``."""
    theirs, ours = (GENERATORS.get(family, family) for family in (config.family, recipe.family))
    if theirs != ours:
        raise ProdgenError(f"{ref} is of family {config.family}, the recipe of {recipe.family}", param="from")
    given = config.model_dump()
    wanted = {"widths": list(recipe.widths), "latent_dim": recipe.latent_dim}
    for name, value in {**wanted, "size": size, "channels": channels}.items():
        if given.get(name, value) != value:
            raise ProdgenError(
                f"{ref} has {name} = {given[name]}, this run {value}; begin with the same by "
                f"--set {name}={str(given[name]).replace(' ', '')}",
                param="from",
            )


def check_freeze(recipe: Recipe, *, learnt: bool) -> None:
    """Raises ProdgenError if the recipe keeps blocks of a discriminator that has ``learnt`` nothing."""
    if getattr(recipe, "freeze", 0) and not learnt:
        raise ProdgenError(
            "freeze keeps what a discriminator has learnt; begin --from a model that brings one along",
            param="freeze",
        )


def _check_divides(recipe: Recipe, processes: int) -> None:
    # Half of a VAE-GAN's batch is reconstructed, half is drawn: each process takes its rows of both.
    shares = processes * (2 if recipe.family == "vaegan" and processes > 1 else 1)
    least = shares * recipe.accumulate
    if recipe.batch % least:
        parts = f" in {recipe.accumulate} parts" if recipe.accumulate > 1 else ""
        raise ProdgenError(
            f"a batch of {recipe.batch}{parts} cannot be divided among {processes} processes; "
            f"take a multiple of {least}",
            param="batch",
        )
