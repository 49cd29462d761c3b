"""What a model can be asked for: its schema, the reading of requests, and the drawing of what is left out."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from prodgen.errors import ProdgenError
from prodgen.streams import Float64, Stream, uniforms

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


class AttributeSchema(BaseModel):
    """All the attributes of a model, in the order of its conditioning vector."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attributes: tuple[Choice, ...] = ()

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

        ``wanted[i]`` holds parsed values; the drawn ones are functions of ``(seeds[i], draws[i])`` alone.
        """
        if all(len(w) == len(self.attributes) for w in wanted):
            return [{a.name: w[a.name] for a in self.attributes} for w in wanted]
        u = uniforms(seeds, draws, len(self.attributes), Stream.ATTRIBUTES, [0] * len(draws))
        names = [a.name for a in self.attributes]
        columns = [a.draw(u[:, k]) for k, a in enumerate(self.attributes)]
        drawn = zip(*columns, strict=True)
        return [
            {name: w.get(name, value) for name, value in zip(names, row, strict=True)}
            for w, row in zip(wanted, drawn, strict=True)
        ]


def combinations(parsed: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Every combination of the listed values, in the order written, the last attribute varying fastest."""
    return [dict(zip(parsed, values, strict=True)) for values in itertools.product(*parsed.values())]
