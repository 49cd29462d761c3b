"""Redrawing: a picture that a person gives to a model, and the latent that the model finds for it."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from prodgen.errors import ProdgenError, Unsupported
from prodgen.spec.attributes import AttributeSchema, RequestedValues, Value
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


def known_attributes(schema: AttributeSchema, said: RequestedValues) -> dict[str, str]:
    """Return the attributes that a person has named for a picture, as the model spells them."""
    known = schema.parse(said)
    if steps := [direction.name for direction in schema.directions if direction.name in known]:
        raise ProdgenError(f"a picture has no steps of {steps[0]}; write {steps[0]}=1", param="picture")
    return {name: one for name, [one] in known.items()}


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

    def start_digest(self, seed: int, draw: int) -> str:
        """A digest of the picture's known attributes, and of the seed and the draw of the search.

        With the picture and the version, they decide which latent the model finds for the picture.
        """
        text = json.dumps([self.attributes, seed, draw], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


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


class Start(Found):
    """The start of a redrawn image, in place of a seed: the picture, and what the model has found for it.

    The marks and the manifest hold it, so that the image is made again without the picture.
    """

    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    strength: float = Field(ge=0, le=1)

    @classmethod
    def of(cls, picture: Picture, found: Found) -> "Start":
        """Return the start of an image of ``picture``."""
        return cls(
            sha256=picture.sha256,
            strength=picture.strength,
            latent=found.latent,
            attributes=found.attributes,
            distance=found.distance,
        )
