"""``lineage.json``: where a model version comes from."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prodgen.errors import ProdgenError


class Data(BaseModel):
    """What a run was trained on: the name that people gave it, and the digest of its content."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str


class Lineage(BaseModel):
    """Which run made a version, by which recipe and code, from which data.

    ``prodgen`` is the version of the code; ``begun_from`` the model or the run whose weights it began with.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    run: str = Field(description="The run's id.")
    recipe: dict[str, Any] = Field(description="All of it, with what was set otherwise.")
    data: Data
    prodgen: str
    begun_from: str | None = None
    created: datetime


def parse_lineage(data: bytes, where: str) -> Lineage:
    """A lineage.json; ``where`` names it in the error."""
    try:
        return Lineage.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "file"
        raise ProdgenError(f"{where} is no model's lineage.json: {key}: {first['msg']}") from None
