"""Read and check the files of a model folder without building the model's networks."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.attributes import AttributeSchema, ContinuousColour
from prodgen.spec.colour import Colour
from prodgen.spec.finish import MOST_SIDE, Finish, Frame, sides
from prodgen.spec.onnx_file import check_onnx
from prodgen.spec.validation_errors import parse_json

CONFIG, WEIGHTS, ONNX_WEIGHTS = "config.json", "model.safetensors", "model.onnx"
METRICS, LINEAGE = "metrics.json", "lineage.json"
DISCRIMINATOR = "discriminator.safetensors"
"""The file with the discriminator of the training. Only further training of the model needs it."""


class ModelConfig(BaseModel):
    """The fields of config.json that every family has. Fields of one family's network are extra fields."""

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

    @property
    def weights(self) -> str:
        """The name of the file with the network's weights."""
        return ONNX_WEIGHTS if self.family == ONNX else WEIGHTS

    def side(self, finish: Finish) -> int:
        """Return the side, in pixels, of a generated image with this finish."""
        return finish.size or self.size * (finish.upscale or 1)

    def check_finish(self, finish: Finish) -> None:
        """Raise ProdgenError if ``exact_colour`` or ``upscale`` is set and this version cannot do it."""
        has_colour = any(isinstance(a, ContinuousColour) for a in self.attributes.attributes)
        if finish.exact_colour and not (has_colour and self.channels == 4):
            raise ProdgenError(
                "exact_colour is for models of cut-outs that take any colour, and this model takes none",
                param="finish.exact_colour",
            )
        if finish.upscale is None:
            return
        large = self.size * finish.upscale
        if self.channels < 3:
            fault = "upscale is for models of colour images, and this model's are grey; set size alone"
        elif large > MOST_SIDE:
            fault = f"upscale makes images of {large} pixels a side; the most are {MOST_SIDE}"
        elif finish.size and finish.size <= self.size:
            fault = f"upscale needs a size above {self.size}, the model's own, not {finish.size}"
        else:
            return
        raise ProdgenError(fault, param="finish.upscale")


ONNX = "onnx"
"""The family of generators in ONNX files. onnxruntime runs them; other programs may have trained them."""
STUDIO = "studio"
"""The family that makes pictures from photographs. The `WEIGHTS` file of its versions holds no weights."""


class PictureRules(BaseModel):
    """The rules by which a version makes pictures for a marketplace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int
    height: int
    fill: float
    ground: Colour | None = None
    format: Literal["png", "webp", "jpeg"]
    most_bytes: int
    photographs_only: bool = False


class StudioConfig(ModelConfig):
    """The config.json of a version that makes pictures from photographs (family `STUDIO`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Literal["studio"]
    method: int = Field(
        description="The number of the way in which pictures are cut out, recoloured and lit."
    )
    cutter: str = Field(description="``grabcut``, or the name of a network of rembg.")
    cutter_sha256: str | None = Field(default=None, description="The digest of the network's file.")
    photo_side: int = Field(description="The longer side, in pixels, to which larger photographs are shrunk.")
    fill: float = Field(description="The share of the frame that the product fills, without a preset.")
    presets: dict[str, PictureRules]

    def frame(self, finish: Finish) -> Frame:
        """Return the frame of an order's pictures: the preset's if ``finish`` names one, else by its size."""
        if finish.preset:
            rules = self.presets[finish.preset]
            return Frame(rules.width, rules.height, rules.fill, None, finish.light_from, finish.pose)
        size = sides(finish.size or self.size, finish.aspect)
        return Frame(*size, self.fill, finish.copy_space, finish.light_from, finish.pose)


class Data(BaseModel):
    """A data set: the name that people gave it, and the digest of its content."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str


class Lineage(BaseModel):
    """The run that made a version, with its recipe, code and data.

    ``prodgen`` is the version of the code. ``begun_from`` is the model or run whose weights were the start.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    run: str = Field(description="The run's id.")
    recipe: dict[str, Any] = Field(description="The whole recipe, with the settings that were changed.")
    data: Data
    prodgen: str
    begun_from: str | None = None
    created: datetime


def parse_config(data: bytes, where: str) -> ModelConfig:
    """Parse a config.json; if it is broken, raises ProdgenError, whose message names the file ``where``."""
    return parse_json(ModelConfig, data, f"{where} is no model's config.json")


def studio_config(config: ModelConfig) -> StudioConfig | None:
    """Return ``config`` with all fields if its family is `STUDIO`, or else None.

    Raises ProdgenError if a field is missing or wrong.
    """
    if config.family != STUDIO:
        return None
    return parse_json(StudioConfig, config.model_dump_json().encode(), "the config.json is of no studio")


def parse_lineage(data: bytes, where: str) -> Lineage:
    """Parse a lineage.json; if it is broken, raises ProdgenError, whose message names the file ``where``."""
    return parse_json(Lineage, data, f"{where} is no model's lineage.json")


def read_config(folder: Path) -> ModelConfig:
    """Read the config.json of a model folder; raises NotFound if there is none."""
    path = folder / CONFIG
    if not path.is_file():
        raise NotFound(f"{folder} is no model: it has no {CONFIG}")
    return parse_config(path.read_bytes(), str(path))


def check_files(folder: Path) -> ModelConfig:
    """Check a model folder and return its config; raises ProdgenError if config or weights are unusable.

    The check runs no network and unpickles nothing, so it is safe for files of strangers.
    """
    config = read_config(folder)
    path = folder / config.weights
    if not path.is_file():
        raise ProdgenError(f"{folder} has no {path.name}; other formats may hold code and are not read")
    if config.family != ONNX:
        check_weights(path)
        return config
    if config.precision != "fp32":
        raise ProdgenError(f"{folder / CONFIG}: the precision of the family {ONNX} is fp32")
    condition_dim = sum(len(attribute.columns()) for attribute in config.attributes.attributes)
    check_onnx(path, config.latent_dim, condition_dim)
    return config


def check_weights(path: Path) -> None:
    """Raise ProdgenError unless the file begins like a safetensors file. A pickle never begins like that."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if 2 <= length <= size - 8 else b""
    try:
        is_safetensors = isinstance(json.loads(header), dict)
    except ValueError:
        is_safetensors = False
    if not is_safetensors:
        raise ProdgenError(
            f"{path.name} is not a safetensors file; prodgen loads no other kind of checkpoint"
        )


def folder_version(folder: Path) -> str:
    """Return the version of a model folder: the first 12 hex digits of the sha256 of config and weights."""
    contents = b"".join((folder / name).read_bytes() for name in (CONFIG, read_config(folder).weights))
    return hashlib.sha256(contents).hexdigest()[:12]


def coarsest_side(size: int, widths: list[int]) -> int:
    """Return the side of the smallest feature map of a network for images of side ``size``.

    ``widths`` has one number for each feature map. Each map has twice the side of the map before; the last
    has the side ``size``. Raises ValueError if ``size`` cannot be halved so often.
    """
    side = size >> (len(widths) - 1)
    if not side or side << (len(widths) - 1) != size:
        raise ValueError(f"size {size} is not {len(widths) - 1} doublings of a whole number")
    return side
