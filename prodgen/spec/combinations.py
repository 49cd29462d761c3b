"""Combinations of attribute values that occurred in training, and random draws from these combinations."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from prodgen.spec.random_streams import Float64

Values = Mapping[str, Sequence[str]]
"""The possible values of each choice, by the choice's name, in the order of the schema."""


class Combination(BaseModel):
    """A combination of values that occurred in training; ``frequency`` is its share of the training images.

    ``places`` has a number for each choice: the position of its value in the choice's values; -1 if unknown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    places: tuple[Annotated[int, Field(ge=-1)], ...]
    frequency: float = Field(gt=0, allow_inf_nan=False)

    def values(self, choices: Values) -> dict[str, str]:
        """Return the known values of the combination as choice name -> value."""
        pairs = zip(choices.items(), self.places, strict=True)
        return {name: values[place] for (name, values), place in pairs if place >= 0}


def draw_combinations(
    combinations: Sequence[Combination], choices: Values, wanted: Sequence[Mapping[str, str]], u: Float64
) -> list[dict[str, str]]:
    """Draw one combination at random for each request, among those that contain all its requested values.

    ``u`` holds one uniform number in (0, 1) for each request. Returns the known values of each drawn
    combination, or {} for a request whose values no combination contains.
    """
    known = [(combination.values(choices), combination.frequency) for combination in combinations]

    def matching(asked: tuple[str | None, ...]) -> tuple[list[dict[str, str]], Float64]:
        found = [
            (values, frequency)
            for values, frequency in known
            if all(want in (None, values.get(name)) for name, want in zip(choices, asked, strict=True))
        ]
        return [values for values, _ in found], np.cumsum([frequency for _, frequency in found])

    alike = defaultdict[tuple[str | None, ...], list[int]](list)
    for at, request in enumerate(wanted):
        alike[tuple(request.get(name) for name in choices)].append(at)
    drawn: list[dict[str, str]] = [{}] * len(wanted)
    for asked, places in alike.items():
        values, edges = matching(asked)
        if values:
            for at, chosen in zip(places, np.searchsorted(edges, u[places] * edges[-1]), strict=True):
                drawn[at] = values[chosen]
    return drawn
