"""The lineage.json of a model version: the run, recipe and data that made it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from prodgen.spec.validation_errors import parse_json


class Data(BaseModel):
    """A data set: the name that people gave it, and the digest of its content."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str


class Lineage(BaseModel):
    """The run that made a version, with its recipe, code and data.

    ``prodgen`` is the version of the code; ``begun_from`` is the model or run whose weights it started from.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    run: str = Field(description="The run's id.")
    recipe: dict[str, Any] = Field(description="The whole recipe, with the settings that were changed.")
    data: Data
    prodgen: str
    begun_from: str | None = None
    created: datetime


def parse_lineage(data: bytes, where: str) -> Lineage:
    """Parse a lineage.json; if it is broken, raises ProdgenError, whose message names the file ``where``."""
    return parse_json(Lineage, data, f"{where} is no model's lineage.json")
