"""Whether a model and a data set speak of the same things, told from what they say of themselves."""

from collections.abc import Collection, Iterable, Mapping

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema, Choice

SPLIT = "test"
"""Of the data: what a model is compared with."""
FEWEST = 10
"""Images of each set: those that the Inception Score takes in ten parts, and more than five neighbours."""


def no_split(what: str, there: Iterable[str]) -> str:
    """The sentence for data, called ``what``, that has but the splits ``there``."""
    return (
        f"an evaluation needs a {SPLIT} split, of images that the model was not trained on; {what} has only "
        f"{', '.join(there)}"
    )


def check_count(what: str, images: int) -> None:
    """Raises ProdgenError for too few images; ``what``: of what, as a sentence ends in their number."""
    if images < FEWEST:
        raise ProdgenError(f"an evaluation needs at least {FEWEST} images; {what} {images}", param="count")


def check_attributes(
    schema: AttributeSchema, values: Mapping[str, Collection[str]], colours: Collection[str]
) -> None:
    """Raises ProdgenError unless the data knows all that the model can be asked for, by the same words.

    ``values`` of each choice of the data; ``colours``: its attributes that are colours.
    """
    known = [*values, *colours]
    for attribute in schema.attributes:
        there = values if isinstance(attribute, Choice) else colours
        if attribute.name not in there:
            raise ProdgenError(
                f"the model can be asked for a {attribute.name}, but the data knows only "
                f"{', '.join(known) or 'images'}",
                param="data",
            )
        if not isinstance(attribute, Choice):
            continue
        mine, theirs = set(attribute.values), set(values[attribute.name])
        if mine != theirs:
            raise ProdgenError(
                f"the model and the data differ in the values of {attribute.name}: only one of them has "
                f"{', '.join(sorted(mine ^ theirs))}",
                param="data",
            )


def check_shape(size: int, channels: int, what: str, width: int, height: int, theirs: int) -> None:
    """Raises ProdgenError unless a model's images have the shape of those of ``what``."""
    if (height, width, theirs) != (size, size, channels):
        raise ProdgenError(
            f"the model makes {size}x{size} images of {channels} channel(s), but {what} holds "
            f"{width}x{height} of {theirs}; --resize brings them to it",
            param="data",
        )
