"""From attributes, as words, to the vectors that networks take."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from prodgen.attributes import AttributeSchema
from prodgen.errors import ProdgenError


def encode(schema: AttributeSchema, requests: Sequence[Mapping[str, str]]) -> Tensor:
    """Resolved attributes of B images -> (B, D): one-hot blocks in the schema's order.

    Raises ProdgenError for attributes that are not resolved, or of another model.
    """
    places = {column: k for k, column in enumerate(columns(schema))}
    rows = [_places(places, len(schema.attributes), request) for request in requests]
    hot = torch.tensor(rows, dtype=torch.long).view(len(rows), len(schema.attributes))
    return torch.zeros(len(rows), len(places)).scatter_(1, hot, 1.0)


def _places(places: Mapping[tuple[str, str], int], attributes: int, request: Mapping[str, str]) -> list[int]:
    try:
        row = [places[item] for item in request.items()]
    except KeyError as unknown:
        name, value = unknown.args[0]
        raise ProdgenError(f"this model has no {name} {value!r}", param=f"attributes.{name}") from None
    if len(row) != attributes:
        raise ProdgenError(f"an image of this model needs {attributes} attributes, not {len(row)}")
    return row


def columns(schema: AttributeSchema) -> list[tuple[str, str]]:
    """What each of the D numbers of a condition vector stands for: an attribute and its value."""
    return [(attribute.name, value) for attribute in schema.attributes for value in attribute.values]


def condition_size(schema: AttributeSchema) -> int:
    """The length D of the condition vector."""
    return len(columns(schema))
