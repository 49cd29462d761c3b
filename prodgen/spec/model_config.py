"""Read the config.json of a model folder without building the model's networks."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from prodgen.errors import NotFound
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.validation_errors import parse_json

FILES = ("config.json", "model.safetensors")
"""The files that determine a model's images. The model's version is computed from their bytes."""
DISCRIMINATOR = "discriminator.safetensors"
"""The file with the discriminator of the training run, which is needed only to train the model further."""


class ModelConfig(BaseModel):
    """The fields of config.json that do not describe the network."""

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
    """Parse a config.json; if it is broken, raises ProdgenError, whose message names the file ``where``."""
    return parse_json(ModelConfig, data, f"{where} is no model's config.json")


def read_config(folder: Path) -> ModelConfig:
    """Read the config.json of a model folder; raises NotFound if there is none."""
    path = folder / "config.json"
    if not path.is_file():
        raise NotFound(f"{folder} is no model: it has no config.json")
    return parse_config(path.read_bytes(), str(path))


def folder_version(folder: Path) -> str:
    """Return the version of a model folder: the first 12 hex digits of the sha256 of its `FILES`."""
    contents = b"".join((folder / name).read_bytes() for name in FILES)
    return hashlib.sha256(contents).hexdigest()[:12]


def coarsest_side(size: int, widths: list[int]) -> int:
    """Return the side of the coarsest feature map of a network for images of side ``size``.

    The side doubles for each of ``widths`` after the first. Raises ValueError if it cannot reach ``size``.
    """
    side = size >> (len(widths) - 1)
    if not side or side << (len(widths) - 1) != size:
        raise ValueError(f"size {size} is not {len(widths) - 1} doublings of a whole number")
    return side
