"""What a model can be asked for: its schema, the reading of requests, and the drawing of what is left out."""

import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from prodgen.errors import ProdgenError
from prodgen.spec.colour import Colour, parse_colour, to_lab
from prodgen.spec.streams import Float64, Stream, uniforms

Float32 = NDArray[np.float32]

LAB_CENTRE, LAB_SCALE = (50.0, 0.0, 0.0), 25.0
"""What is zero in a condition, and what is one from it."""

Wanted = Mapping[str, str | list[str]]
"""A request as a person writes it: one value or several an attribute."""


class Choice(BaseModel):
    """An attribute with a fixed set of values, and how often each occurred in training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["choice"] = "choice"
    name: str
    values: tuple[str, ...] = Field(min_length=1)
    frequencies: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(self.frequencies) != len(self.values) or sum(self.frequencies) <= 0:
            raise ValueError(f"{self.name} needs a frequency for each of its {len(self.values)} values")
        return self

    def parse(self, text: object) -> str:
        """The value that ``text`` names; raises ProdgenError with the values there are."""
        folded = str(text).strip().lower()
        for value in self.values:
            if value.lower() == folded:
                return value
        raise ProdgenError(
            f"{self.name} cannot be {str(text)!r}; this model makes {', '.join(self.values)}",
            param=f"attributes.{self.name}",
        )

    def draw(self, uniforms: Float64) -> list[str]:
        """The value at each of ``uniforms`` in (0, 1) of the cumulated training distribution."""
        edges = np.cumsum(self.frequencies)
        return [self.values[place] for place in np.searchsorted(edges, uniforms * edges[-1])]

    def columns(self) -> tuple[str, ...]:
        """What the numbers of a condition stand for: a value each."""
        return self.values

    def encode(self, values: Sequence[str]) -> Float32:
        """Values of B images -> (B, number of values), one-hot; raises ProdgenError for another model's."""
        places = {value: k for k, value in enumerate(self.values)}
        unknown = [value for value in values if value not in places]
        if unknown:
            raise ProdgenError(
                f"this model has no {self.name} {unknown[0]!r}", param=f"attributes.{self.name}"
            )
        return np.eye(len(places), dtype=np.float32)[[places[value] for value in values]]


class ContinuousColour(BaseModel):
    """A colour as an attribute: any that can be written, not one of a list.

    ``palette``: some of the colours of training, from which one that is left out is drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["colour"] = "colour"
    name: str
    palette: tuple[Colour, ...] = Field(min_length=1)

    def parse(self, text: object) -> str:
        """``#rrggbb`` of a CSS name or a number; raises ProdgenError if ``text`` is neither."""
        try:
            return parse_colour(str(text))
        except ValueError as error:
            raise ProdgenError(f"{self.name}: {error}", param=f"attributes.{self.name}") from None

    def draw(self, uniforms: Float64) -> list[str]:
        """A colour of the palette at each of ``uniforms`` in (0, 1)."""
        return [self.palette[int(u * len(self.palette))] for u in uniforms]

    def columns(self) -> tuple[str, ...]:
        """What the numbers of a condition stand for: the last is 1 where a colour is known."""
        return ("L", "a", "b", "known")

    def encode(self, values: Sequence[str]) -> Float32:
        """Colours of B images as ``#rrggbb`` -> (B, 4)."""
        levels = np.frombuffer(bytes.fromhex("".join(value[1:] for value in values)), np.uint8)
        return encode_lab(to_lab(levels.reshape(-1, 3)))


def encode_lab(lab: ArrayLike) -> Float32:
    """CIELAB (B, 3), NaN where it is not known -> (B, 4), each number mostly within two of zero."""
    scaled = (np.asarray(lab, np.float32).reshape(-1, 3) - LAB_CENTRE) / LAB_SCALE
    whole = np.concatenate([scaled, np.ones((len(scaled), 1))], 1)
    return np.where(np.isnan(scaled).any(1, keepdims=True), 0.0, whole).astype(np.float32)


def _kind(given: Any) -> str:
    """Attributes are choices unless they say otherwise."""
    return str(given.get("kind", "choice") if isinstance(given, dict) else given.kind)


Attribute = Annotated[
    Annotated[Choice, Tag("choice")] | Annotated[ContinuousColour, Tag("colour")], Discriminator(_kind)
]


class Combination(BaseModel):
    """Values of the choices that occurred together, and how often of all images.

    ``places``: that of each choice's value, -1 where it was not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    places: tuple[Annotated[int, Field(ge=-1)], ...]
    frequency: float = Field(gt=0, allow_inf_nan=False)


class AttributeSchema(BaseModel):
    """All the attributes of a model, in the order of its conditioning vector.

    ``together``: which values of its choices go together; without it each choice is drawn by itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    attributes: tuple[Attribute, ...] = ()
    together: tuple[Combination, ...] = ()

    @model_validator(mode="after")
    def _of_these_choices(self) -> Self:
        sizes = [len(choice.values) for choice in self.choices]
        for combination in self.together:
            fits = zip(combination.places, sizes, strict=False)
            if len(combination.places) != len(sizes) or not all(place < size for place, size in fits):
                raise ValueError(f"{combination.places} names no value of each of the {len(sizes)} choices")
        return self

    @model_serializer(mode="wrap")
    def _without_nothing(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Where nothing is known to go together it is not mentioned, as before anything could be."""
        said: dict[str, Any] = plain(self)
        return said if self.together else {name: part for name, part in said.items() if name != "together"}

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The attributes with a fixed set of values."""
        return tuple(a for a in self.attributes if isinstance(a, Choice))

    def parse(self, wanted: Wanted) -> dict[str, list[str]]:
        """The request with every value in the model's own spelling, in the order written.

        Raises ProdgenError for an attribute or a value that the model does not have.
        """
        known = {a.name: a for a in self.attributes}
        parsed = {}
        for name, values in wanted.items():
            if name not in known:
                offers = ", ".join(known) or "none"
                raise ProdgenError(
                    f"this model has no attribute {name!r}; its attributes are: {offers}",
                    param=f"attributes.{name}",
                )
            listed = values if isinstance(values, list) else [values]
            if not listed:
                raise ProdgenError(
                    f"{name} lists no value; give one, or leave {name} out to have it drawn",
                    param=f"attributes.{name}",
                )
            parsed[name] = [known[name].parse(v) for v in listed]
        return parsed

    def resolve(
        self, wanted: Sequence[Mapping[str, str]], seeds: Sequence[int], draws: Sequence[int]
    ) -> list[dict[str, str]]:
        """Each request with what it leaves out drawn from the training distribution.

        Choices are drawn from what came together with those that are asked for; where nothing did, each by
        itself. ``wanted[i]`` holds parsed values; the drawn ones are functions of them and of
        ``(seeds[i], draws[i])`` alone.
        """
        if all(len(w) == len(self.attributes) for w in wanted):
            return [{a.name: w[a.name] for a in self.attributes} for w in wanted]
        u = uniforms(seeds, draws, len(self.attributes), Stream.ATTRIBUTES, [0] * len(draws))
        names = [a.name for a in self.attributes]
        columns = [a.draw(u[:, k]) for k, a in enumerate(self.attributes)]
        drawn = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        if self.together:
            for row, company in zip(drawn, self._company(wanted, u[:, 0]), strict=True):
                row.update(company)
        return [{**row, **w} for row, w in zip(drawn, wanted, strict=True)]

    def _company(self, wanted: Sequence[Mapping[str, str]], u: Float64) -> list[dict[str, str]]:
        """Choices that go together with what each request asks for, by its number of ``u``; {} if none do.

        What was not known of them is not among them.
        """
        names = [choice.name for choice in self.choices]
        known: list[tuple[dict[str, str], float]] = []
        for each in self.together:
            pairs = zip(self.choices, each.places, strict=True)
            values = {choice.name: choice.values[place] for choice, place in pairs if place >= 0}
            known.append((values, each.frequency))

        @cache
        def fitting(asked: tuple[str | None, ...]) -> tuple[list[dict[str, str]], Float64]:
            fit = [
                (values, frequency)
                for values, frequency in known
                if all(want in (None, values.get(name)) for name, want in zip(names, asked, strict=True))
            ]
            return [values for values, _ in fit], np.cumsum([frequency for _, frequency in fit])

        company: list[dict[str, str]] = []
        for w, place in zip(wanted, u, strict=True):
            fit, edges = fitting(tuple(w.get(name) for name in names))
            company.append(fit[int(np.searchsorted(edges, place * edges[-1]))] if fit else {})
        return company


def combinations(parsed: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Every combination of the listed values, in the order written, the last attribute varying fastest."""
    return [dict(zip(parsed, values, strict=True)) for values in itertools.product(*parsed.values())]
