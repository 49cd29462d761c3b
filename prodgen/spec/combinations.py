"""Values of attributes that occurred together in training, and draws from them."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from prodgen.spec.random_streams import Float64

Values = Mapping[str, Sequence[str]]
"""The values of each choice, in the order of the schema."""


class Combination(BaseModel):
    """Values of the choices that occurred together, and their share of all training images.

    ``places`` holds the position of each choice's value, or -1 where the value was not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    places: tuple[Annotated[int, Field(ge=-1)], ...]
    frequency: float = Field(gt=0, allow_inf_nan=False)

    def values(self, choices: Values) -> dict[str, str]:
        """Return the known values by the names of their choices."""
        pairs = zip(choices.items(), self.places, strict=True)
        return {name: values[place] for (name, values), place in pairs if place >= 0}


def draw_combinations(
    combinations: Sequence[Combination], choices: Values, wanted: Sequence[Mapping[str, str]], u: Float64
) -> list[dict[str, str]]:
    """Draw a combination for each request from those that contain the values it asks for.

    ``u`` holds one uniform number in (0, 1) for each request. Returns the known values of the combination, or
    {} if no combination contains what the request asks for.
    """
    known = [(combination.values(choices), combination.frequency) for combination in combinations]

    @cache
    def matching(asked: tuple[str | None, ...]) -> tuple[list[dict[str, str]], Float64]:
        found = [
            (values, frequency)
            for values, frequency in known
            if all(want in (None, values.get(name)) for name, want in zip(choices, asked, strict=True))
        ]
        return [values for values, _ in found], np.cumsum([frequency for _, frequency in found])

    drawn: list[dict[str, str]] = []
    for request, number in zip(wanted, u, strict=True):
        values, edges = matching(tuple(request.get(name) for name in choices))
        drawn.append(values[int(np.searchsorted(edges, number * edges[-1]))] if values else {})
    return drawn
