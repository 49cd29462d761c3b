"""Redrawing: a picture that a person gives to a model, and the latent that the model finds for it."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from prodgen.errors import ProdgenError, Unsupported
from prodgen.spec.attributes import Value
from prodgen.spec.model_config import ONNX, ModelConfig

ENCODERS = ("vae", "vaegan")
"""The families of models with an encoder, a network that computes the latent of a picture."""
PATTERN = "pattern"
"""The choice that is measured in a picture, so that no person has to say it."""
MOST_COMBINATIONS = 64
"""The most combinations of values of the unknown attributes that a model with an encoder tries."""
NEAR, FAR = 0.06, 0.12
"""Up to the distance NEAR, a redrawn picture shows the same product; from FAR on, a different product."""


def check_picture(model: str, config: ModelConfig, known: Mapping[str, str]) -> None:
    """Raise ProdgenError if a model cannot redraw a picture when only the attributes ``known`` are known.

    A model without an encoder must know all choices but the pattern. Colour and pattern are measured.
    """
    if config.family == ONNX:
        raise Unsupported(f"{model} is an ONNX file, which finds no latent of a picture", param="model")
    if config.family in ENCODERS:
        _check_combinations(model, config, known)
        return
    for choice in config.attributes.choices:
        if choice.name not in (*known, PATTERN) and len(choice.values) > 1:
            name = choice.name
            raise ProdgenError(
                f"{model} has no encoder, so it does not know the {name} of a picture: say it, as "
                f"picture.{name}={choice.values[0]} over HTTP or --was {name}={choice.values[0]}",
                param=f"picture.{name}",
            )


def _check_combinations(model: str, config: ModelConfig, known: Mapping[str, str]) -> None:
    """Raise ProdgenError if the unknown attributes have more than `MOST_COMBINATIONS` combinations."""
    unknown = [choice for choice in config.attributes.choices if choice.name not in (*known, PATTERN)]
    combinations = math.prod(len(choice.values) for choice in unknown)
    if combinations > MOST_COMBINATIONS:
        longest = max(unknown, key=lambda choice: len(choice.values))
        name, value = longest.name, longest.values[0]
        raise ProdgenError(
            f"{model} would have to try {combinations:,} combinations of attributes, and tries at most "
            f"{MOST_COMBINATIONS}: say the {name} of the picture, as picture.{name}={value} over HTTP or "
            f"--was {name}={value}",
            param=f"picture.{name}",
        )


class Picture(BaseModel):
    """A picture to redraw, named by its digest.

    ``attributes``: the attributes of the picture that a person has named. ``strength``: how much of the
    requested change is made, from 0 (nothing) to 1 (all).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    attributes: dict[str, Value] = {}
    strength: float = Field(default=1.0, ge=0, le=1)

    @model_serializer(mode="wrap")
    def _omit_unused(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = plain(self)
        return {k: v for k, v in fields.items() if k == "sha256" or v != type(self).model_fields[k].default}


class Found(BaseModel):
    """The latent vector and the attributes with which a model draws a picture again.

    ``distance``: the root of the mean squared difference of the pixels in [0, 1] between the
    given picture and the redrawn one; transparency counts as a colour.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    latent: tuple[Annotated[float, Field(ge=-100, le=100)], ...] = Field(min_length=1, max_length=4096)
    attributes: dict[str, Value]
    distance: float = Field(ge=0, le=1)

    @property
    def sentence(self) -> str:
        """One sentence for people that says how similar the redrawn picture is."""
        if self.distance <= NEAR:
            return "the model draws the picture closely"
        if self.distance < FAR:
            return "the model draws the picture roughly; compare the two before you use an edit"
        return "the model cannot draw this picture; do not trust an edit of it"


class Start(NamedTuple):
    """The start of a redrawn image, in place of a seed: the picture, and what the model has found for it."""

    picture: Picture
    found: Found

    @property
    def recipe(self) -> dict[str, Any]:
        """The fields for the marks of the image. They make the image again without the picture."""
        picture = {"sha256": self.picture.sha256, "strength": self.picture.strength}
        return {**picture, **self.found.model_dump(mode="json")}

    @classmethod
    def of_recipe(cls, recipe: dict[str, Any]) -> "Start":
        """Return the start from the `recipe` in marks. Raises pydantic's ValidationError if it is broken."""
        own = {name: recipe[name] for name in ("sha256", "strength") if name in recipe}
        found = {name: value for name, value in recipe.items() if name not in own}
        return cls(Picture.model_validate(own), Found.model_validate(found))
