"""What a model folder says of itself, readable without its networks."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.attributes import AttributeSchema

FILES = ("config.json", "model.safetensors")
"""What decides a version's images, and so its digest."""
DISCRIMINATOR = "discriminator.safetensors"
"""What has judged the model in training, for those who train it further; nobody else needs it."""


class ModelConfig(BaseModel):
    """config.json, as far as those who do not build the network need it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    format: int
    family: str
    size: int
    channels: int
    latent_dim: int
    attributes: AttributeSchema
    ground: str
    precision: Literal["fp32", "bf16"]
    tolerance: int


def parse_config(data: bytes, where: str) -> ModelConfig:
    """A config.json; ``where`` names it in the error."""
    try:
        return ModelConfig.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "file"
        raise ProdgenError(f"{where} is no model's config.json: {key}: {first['msg']}") from None


def read_config(folder: Path) -> ModelConfig:
    """The config.json of a model folder."""
    path = folder / "config.json"
    if not path.is_file():
        raise NotFound(f"{folder} is no model: it has no config.json")
    return parse_config(path.read_bytes(), str(path))


def digest(folder: Path) -> str:
    """The version of a model folder: 12 hex digits of the sha256 over its `FILES`."""
    return digest_of([(folder / name).read_bytes() for name in FILES])


def digest_of(contents: list[bytes]) -> str:
    """`digest` of the contents of `FILES`, in their order."""
    return hashlib.sha256(b"".join(contents)).hexdigest()[:12]
