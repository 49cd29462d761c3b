"""Encode attributes as condition vectors, which are an input of the networks."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema


def encode(schema: AttributeSchema, requests: Sequence[Mapping[str, str]]) -> Tensor:
    """Return the condition vectors (B, D) of B images: a block for each attribute, in the schema's order.

    ``requests``: for each image, the values of all attributes. Values of directions may be there too, and are
    ignored. Raises ProdgenError if a value is missing, or if the model does not have an attribute.
    """
    names = {attribute.name for attribute in schema.attributes}
    directions = {direction.name for direction in schema.directions}
    for request in requests:
        for name in request.keys() - names - directions:
            raise ProdgenError(f"this model has no {name} {request[name]!r}", param=f"attributes.{name}")
        if missing := names - request.keys():
            raise ProdgenError(f"an image of this model needs a {min(missing)}", param="attributes")
    blocks = [a.encode([request[a.name] for request in requests]) for a in schema.attributes]
    return torch.from_numpy(np.concatenate([np.zeros((len(requests), 0), np.float32), *blocks], 1))


def columns(schema: AttributeSchema) -> list[tuple[str, str]]:
    """Return the attribute's name and the column's name for each of the D numbers of a condition vector."""
    return [(attribute.name, column) for attribute in schema.attributes for column in attribute.columns()]


def condition_size(schema: AttributeSchema) -> int:
    """Return D, the length of a condition vector."""
    return len(columns(schema))
