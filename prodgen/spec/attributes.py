"""The attributes of a model: parse the values that a request asks for, and draw the missing ones."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    Tag,
    model_serializer,
    model_validator,
)

from prodgen.errors import ProdgenError
from prodgen.spec.colour import Colour, encode_lab, parse_colour, parse_gradient, to_lab
from prodgen.spec.colour_words import colour_words, product_colour
from prodgen.spec.combinations import Combination, draw_combinations
from prodgen.spec.directions import Direction
from prodgen.spec.photograph import is_digest
from prodgen.spec.random_streams import Float64, Stream, uniforms
from prodgen.spec.spelling import did_you_mean, fold

Float32 = NDArray[np.float32]

SCENE = "scene"
"""The name of the attribute for the ground of a picture."""
MATERIAL = "material"
"""The name of the attribute for the material of a product."""
PICTURED = (SCENE, MATERIAL)
"""The attributes whose values may be pictures."""
Value = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""One value of an attribute, as text."""
RequestedValues = Mapping[str, str | list[str]]
"""The attributes of a request as a person writes them: the attribute's name -> one value or a list."""


class Choice(BaseModel):
    """An attribute with a fixed set of values, and the frequency of each value in the training images.

    ``synonyms`` holds more words by which prompts may name a value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["choice"] = "choice"
    name: str
    values: tuple[str, ...] = Field(min_length=1)
    frequencies: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]
    # Left out if there are none, so that a config without them keeps the same bytes.
    synonyms: dict[str, tuple[str, ...]] = Field(default={}, exclude_if=lambda synonyms: not synonyms)

    @model_validator(mode="after")
    def _check_frequencies(self) -> Self:
        if len(self.frequencies) != len(self.values) or sum(self.frequencies) <= 0:
            raise ValueError(f"{self.name} needs a frequency for each of its {len(self.values)} values")
        if unknown := self.synonyms.keys() - set(self.values):
            raise ValueError(f"{self.name} has synonyms of {min(unknown)!r}, which is none of its values")
        return self

    def parse(self, text: object) -> str:
        """Return the value that ``text`` names, in any case. Raises ProdgenError if there is none."""
        if text in self.values:
            return str(text)
        folded = fold(str(text))
        for value in self.values:
            if fold(value) == folded:
                return value
        raise ProdgenError(
            f"{self.name} cannot be {str(text)!r}; this model makes {', '.join(self.values)}"
            f"{did_you_mean(str(text), self.values)}",
            param=f"attributes.{self.name}",
        )

    def draw(self, uniforms: Float64) -> list[str]:
        """Return a random value, by the frequencies, for each uniform random number in (0, 1)."""
        edges = np.cumsum(self.frequencies)
        return [self.values[place] for place in np.searchsorted(edges, uniforms * edges[-1])]

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns that `encode` returns, in the same order."""
        return self.values

    def encode(self, values: Sequence[str]) -> Float32:
        """Return the values of B images one-hot: (B, number of values).

        Raises ProdgenError if the model does not have a value.
        """
        places = {value: k for k, value in enumerate(self.values)}
        unknown = [value for value in values if value not in places]
        if unknown:
            raise ProdgenError(
                f"this model has no {self.name} {unknown[0]!r}", param=f"attributes.{self.name}"
            )
        return np.eye(len(places), dtype=np.float32)[[places[value] for value in values]]


class ContinuousColour(BaseModel):
    """An attribute whose value is any colour.

    ``palette`` holds colours of the training images. If a request names no colour, one of these is drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["colour"] = "colour"
    name: str
    palette: tuple[Colour, ...] = Field(min_length=1)

    def parse(self, text: object) -> str:
        """Return the CSS colour ``text`` as ``#rrggbb``. Raises ProdgenError if ``text`` is no colour."""
        try:
            return parse_colour(str(text))
        except ValueError as error:
            raise ProdgenError(f"{self.name}: {error}", param=f"attributes.{self.name}") from None

    def draw(self, uniforms: Float64) -> list[str]:
        """Return a random colour of the palette for each uniform random number in (0, 1)."""
        return [self.palette[int(u * len(self.palette))] for u in uniforms]

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns of `encode`. The column ``known`` is 1 if the colour is known."""
        return ("L", "a", "b", "known")

    def encode(self, values: Sequence[str]) -> Float32:
        """Return the colours (``#rrggbb``) of B images as numbers for a network: (B, 4)."""
        levels = np.frombuffer(bytes.fromhex("".join(value[1:] for value in values)), np.uint8)
        return encode_lab(to_lab(levels.reshape(-1, 3)))


class _Named(BaseModel):
    """Base class of attributes whose value is one of a few names, or a colour or picture of a person's own.

    The value of an attribute that a request leaves out is the first name. It is never random.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    name: str
    values: tuple[str, ...] = Field(min_length=1)

    def named(self, text: str) -> str | None:
        """Return the name in ``values`` that equals ``text`` apart from case, or None."""
        folded = fold(text)
        return next((value for value in self.values if fold(value) == folded), None)

    def draw(self, uniforms: Float64) -> list[str]:
        """Return the first name for each random number."""
        return [self.values[0]] * len(uniforms)

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns of `encode`: none, because no network reads this attribute."""
        return ()

    def encode(self, values: Sequence[str]) -> Float32:
        """Return a condition without columns for B images: (B, 0)."""
        return np.empty((len(values), 0), np.float32)


class NamedColour(_Named):
    """An attribute whose value is one of a few names or any colour.

    ``words`` says what a word such as ``navy`` means: what CSS means, or what shops mean (`product_colour`).
    The value of the attribute ``scene`` may also be two colours (``skyblue/white``) or an upload's digest.
    """

    kind: Literal["named-colour"] = "named-colour"
    # Left out if it is css, so that a config of an earlier version keeps its bytes.
    words: Literal["css", "shop"] = Field(default="css", exclude_if=lambda words: words == "css")

    def parse(self, text: object) -> str:
        """Return the name in ``values`` that ``text`` means, or else the colour ``text`` as ``#rrggbb``.

        For a scene, also returns two colours as ``#rrggbb/#rrggbb``, and a digest unchanged. Raises
        ProdgenError for any other text.
        """
        if self.name == SCENE and is_digest(str(text)):
            return str(text)
        if self.name == SCENE and (colours := parse_gradient(str(text))):
            return "/".join(colours)
        try:
            parse = product_colour if self.words == "shop" else parse_colour
            return self.named(str(text)) or parse(str(text))
        except ValueError:
            further = " or #rrggbb"
            if self.name == SCENE:
                further = ", #rrggbb, two colours as skyblue/white, or the sha256 of an uploaded picture"
            known = colour_words() if self.words == "shop" else ImageColor.colormap
            raise ProdgenError(
                f"{self.name} cannot be {str(text)!r}; write {', '.join(self.values)}, the name of a "
                f"colour{further}"
                f"{did_you_mean(str(text), (*self.values, *known))}",
                param=f"attributes.{self.name}",
            ) from None


class NamedPicture(_Named):
    """An attribute whose value is one of a few names, or the digest of an uploaded picture."""

    kind: Literal["named-picture"] = "named-picture"

    def parse(self, text: object) -> str:
        """Return the name that ``text`` means, or a digest unchanged. Raises ProdgenError for other texts."""
        found = str(text) if is_digest(str(text)) else self.named(str(text))
        if found is None:
            raise ProdgenError(
                f"{self.name} cannot be {str(text)!r}; write {', '.join(self.values)}, or the sha256 of an "
                f"uploaded picture{did_you_mean(str(text), self.values)}",
                param=f"attributes.{self.name}",
            )
        return found


def _kind(given: Any) -> str:
    """Return the kind of an attribute; an attribute without a kind in the config is a choice."""
    return str(given.get("kind", "choice") if isinstance(given, dict) else given.kind)


Attribute = Annotated[
    Annotated[Choice, Tag("choice")]
    | Annotated[ContinuousColour, Tag("colour")]
    | Annotated[NamedColour, Tag("named-colour")]
    | Annotated[NamedPicture, Tag("named-picture")],
    Discriminator(_kind),
]


class AttributeSchema(BaseModel):
    """All attributes of a model, in the order of its conditioning vector.

    ``together`` lists the combinations of values that occurred in training; if empty, values are independent.
    A request names a direction of ``directions`` like an attribute; its value is a number of steps. An image
    whose request names no direction has no steps.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    attributes: tuple[Attribute, ...] = ()
    together: tuple[Combination, ...] = ()
    directions: tuple[Direction, ...] = ()

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        sizes = [len(choice.values) for choice in self.choices]
        for combination in self.together:
            fits = zip(combination.places, sizes, strict=False)
            if len(combination.places) != len(sizes) or not all(place < size for place, size in fits):
                raise ValueError(f"{combination.places} names no value of each of the {len(sizes)} choices")
        return self

    @model_serializer(mode="wrap")
    def _omit_empty(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out empty ``together`` and ``directions``, so that a config without them keeps its bytes."""
        fields: dict[str, Any] = plain(self)
        return {name: value for name, value in fields.items() if value or name == "attributes"}

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return the attributes with a fixed set of values."""
        return tuple(a for a in self.attributes if isinstance(a, Choice))

    def parse(self, wanted: RequestedValues) -> dict[str, list[str]]:
        """Return the requested values by attribute, in the model's spelling and in the order of ``wanted``.

        Raises ProdgenError for an attribute or a value that the model does not have, for an attribute that
        is named twice, and for an empty list of values.
        """
        exact = {a.name: a for a in (*self.attributes, *self.directions)}
        folded = {fold(name): a for name, a in exact.items()}
        parsed = {}
        for written, values in wanted.items():
            attribute = exact.get(written) or folded.get(fold(written))
            if attribute is None:
                offers = ", ".join(exact) or "none"
                raise ProdgenError(
                    f"this model has no attribute {written!r}; its attributes are: {offers}"
                    f"{did_you_mean(written, exact)}",
                    param=f"attributes.{written}",
                )
            name = attribute.name
            if name in parsed:
                raise ProdgenError(
                    f"{name} is there twice; give its values once", param=f"attributes.{written}"
                )
            listed = values if isinstance(values, list) else [values]
            if not listed:
                raise ProdgenError(
                    f"{name} lists no value; give one, or leave {name} out to have it drawn",
                    param=f"attributes.{name}",
                )
            parsed[name] = [attribute.parse(v) for v in listed]
        return parsed

    def resolve(
        self, wanted: Sequence[Mapping[str, str]], seeds: Sequence[int], draws: Sequence[int]
    ) -> list[dict[str, str]]:
        """Return all attributes of each image. Values that ``wanted`` lacks are drawn at random.

        ``wanted[i]`` holds the requested values of image i, as `parse` returns them. The drawn values follow
        the training distribution and depend only on ``wanted[i]``, ``seeds[i]`` and ``draws[i]``. Choices are
        drawn together, as a combination that contains the requested values. If no combination contains them,
        each choice is drawn independently.
        """
        names = [a.name for a in self.attributes]
        if all(name in w for w in wanted for name in names):
            return [{**{name: w[name] for name in names}, **w} for w in wanted]
        u = uniforms(seeds, draws, len(self.attributes), Stream.ATTRIBUTES, [0] * len(draws))
        columns = [a.draw(u[:, k]) for k, a in enumerate(self.attributes)]
        drawn = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        if self.together:
            choices = {choice.name: choice.values for choice in self.choices}
            combinations = draw_combinations(self.together, choices, wanted, u[:, 0])
            for row, combination in zip(drawn, combinations, strict=True):
                row.update(combination)
        return [{**row, **w} for row, w in zip(drawn, wanted, strict=True)]
