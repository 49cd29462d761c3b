"""Checks whether a data set can evaluate a model. Reads only the descriptions of both (no torch)."""

from collections.abc import Collection, Iterable, Mapping

from prodgen.catalog.held_out import MIN_TEST_IMAGES
from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema, Choice

TEST_SPLIT = "test"
"""The split of the data that generated images are compared with."""


def no_test_split(data: str, splits: Iterable[str]) -> str:
    """Return the error message for a data set without a test split.

    ``data``: the name of the data set. ``splits``: the splits that it has.
    """
    return (
        f"an evaluation needs a {TEST_SPLIT} split, of images that the model was not trained on; {data} has "
        f"only {', '.join(splits)}; a folder that names no splits has one from about 100 pictures on"
    )


def check_count(what: str, images: int) -> None:
    """Raise ProdgenError if there are too few ``images`` for an evaluation.

    ``what``: the words before the number in the message.
    """
    if images < MIN_TEST_IMAGES:
        wanted = f"an evaluation needs at least {MIN_TEST_IMAGES} images"
        raise ProdgenError(f"{wanted}; {what} {images}", param="count")


def check_attributes(
    schema: AttributeSchema, values: Mapping[str, Collection[str]], colours: Collection[str]
) -> None:
    """Raise ProdgenError if the data lacks an attribute of the model, or has other values for one.

    ``values``: the values of each choice of the data. ``colours``: the names of the colours of the data.
    """
    for attribute in schema.attributes:
        theirs = values if isinstance(attribute, Choice) else colours
        if attribute.name not in theirs:
            known = ", ".join([*values, *colours])
            raise ProdgenError(
                f"the model has the attribute {attribute.name}; the data has {known or 'no attributes'}",
                param="data",
            )
        if isinstance(attribute, Choice) and (odd := {*attribute.values} ^ {*values[attribute.name]}):
            raise ProdgenError(
                f"the model and the data differ in the values of {attribute.name}: only one of them has "
                f"{', '.join(sorted(odd))}",
                param="data",
            )


def check_shape(size: int, channels: int, data: str, width: int, height: int, data_channels: int) -> None:
    """Raise ProdgenError if the images of ``data`` differ in shape from the model's images.

    The model's images have ``channels`` channels and ``size`` x ``size`` pixels.
    """
    if (height, width, data_channels) != (size, size, channels):
        raise ProdgenError(
            f"the model makes {size}x{size} images of {channels} channel(s), but {data} has {width}x{height} "
            f"images of {data_channels}; --resize converts them",
            param="data",
        )
