"""The formula of one image, which is all that the image depends on; and the address that names it."""

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.finish import Finish, extension
from prodgen.spec.order import ImageRequest, resolve_attributes
from prodgen.spec.random_streams import MAX_SEED
from prodgen.spec.validation_errors import explain_errors

Extension = Literal["png", "webp", "jpg", "avif"]
OWN = ("size", "background", "truncation")
"""The parameters of an address that are not attributes of the model."""
SIGNED = ("tenant", "expires", "signature")
"""The parameters of a signed address that do not belong to the image."""
_PREFIX = "attribute."
"""Stands before an attribute whose name is one of `OWN` or `SIGNED`: ``attribute.size=L&size=256``."""


class Formula(BaseModel):
    """All that one image depends on. Equal formulas make equal images; ``model`` is ``name@version``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    seed: int = Field(ge=0, le=MAX_SEED)
    index: int = Field(ge=0, le=MAX_SEED)
    format: Literal["png", "webp", "jpeg", "avif"]
    attributes: dict[str, str]
    truncation: float = Field(default=1.0, gt=0, le=1)
    finish: Finish = Finish()

    @classmethod
    def read(
        cls,
        model: str,
        schema: AttributeSchema,
        place: tuple[int, int, Extension],
        parameters: Iterable[tuple[str, str]],
    ) -> Self:
        """Return the formula of an address. ``place``: the seed, the index and the extension.

        Attributes that ``parameters`` leave out are drawn as in an order. Raises ProdgenError.
        """
        seed, index, ending = place
        given: dict[str, str] = {}
        for name, value in parameters:
            if name in given:
                raise ProdgenError(f"{name} is there twice; an image has one {name}", param=name)
            given[name] = value
        wanted = schema.parse({_attribute(name): value for name, value in given.items() if name not in OWN})
        try:
            formula = cls.model_validate(
                {
                    "model": model,
                    "seed": seed,
                    "index": index,
                    "format": "jpeg" if ending == "jpg" else ending,
                    "attributes": {name: values[0] for name, values in wanted.items()},
                    "finish": {name: given[name] for name in ("size", "background") if name in given},
                    "truncation": given.get("truncation", 1.0),
                }
            )
        except ValidationError as error:
            raise explain_errors(error.errors()) from None
        [image] = resolve_attributes(schema, [formula.image()])
        return formula.model_copy(update={"attributes": image.attributes})

    def image(self) -> ImageRequest:
        """Return the request for the image: that of the same index of an order with the same seed."""
        return ImageRequest(self.index, self.seed, self.index, self.attributes)

    @property
    def digest(self) -> str:
        """The sha256 of the formula."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()

    @property
    def path(self) -> str:
        """The address of the image, without the host. Equal formulas have equal addresses."""
        truncation = None if self.truncation == 1.0 else self.truncation
        given = {"size": self.finish.size, "background": self.finish.background, "truncation": truncation}
        shown = {name: value for name, value in given.items() if value is not None}
        attributes = {_parameter(name): value for name, value in self.attributes.items()}
        place = f"{quote(self.model, safe='@')}/{self.seed}/{self.index}.{extension(self.format)}"
        return f"/v1/render/{place}?{urlencode({**attributes, **shown})}".rstrip("?")


def _parameter(attribute: str) -> str:
    """Return the parameter of an address that names a value of an attribute."""
    return f"{_PREFIX}{attribute}" if attribute in (*OWN, *SIGNED) else attribute


def _attribute(parameter: str) -> str:
    """Return the attribute that a parameter of an address names."""
    attribute = parameter.removeprefix(_PREFIX)
    return attribute if _parameter(attribute) == parameter else parameter
