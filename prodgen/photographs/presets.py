"""Presets: the rules of each marketplace for product pictures, in one small file each in ``presets/``."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prodgen.errors import ProdgenError
from prodgen.spec.colour import Colour


class Preset(BaseModel):
    """The rules of a marketplace for the first picture of a product."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str = Field(description="Where the rules stand.")
    date: str = Field(description="When the rules were read.")
    width: int = Field(ge=64, le=8192, description="Width of the pictures that are made, in pixels.")
    height: int = Field(ge=64, le=8192, description="Height of the pictures that are made, in pixels.")
    aspect: float | None = Field(default=None, description="Height over width, if one is asked.")
    least_side: int = Field(default=0, description="Least length of the longer side, in pixels.")
    ground: Colour | None = Field(
        default=None, description="The exact colour of the ground, if one is asked."
    )
    fill: float = Field(gt=0, le=1, description="Share of the frame that the product's longer side fills.")
    least_fill: float = Field(default=0.0, description="Least share of the frame.")
    most_fill: float = Field(default=1.0, description="Largest share of the frame.")
    format: Literal["png", "webp", "jpeg"] = "jpeg"
    formats: tuple[str, ...] = Field(description="File formats that the marketplace takes.")
    most_bytes: int = Field(description="Largest size of the file in bytes.")
    file_name: str | None = Field(
        default=None, description="Regular expression for names of files, if the marketplace has a rule."
    )
    file_name_example: str | None = None
    photographs_only: bool = Field(
        default=False, description="Whether the picture must be a photograph of the real product."
    )


def preset_names() -> list[str]:
    """Return the names of all presets in alphabetical order."""
    folder = files("prodgen.photographs") / "presets"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


@cache
def load_preset(name: str) -> Preset:
    """Return a preset; raises ProdgenError, which lists the presets, for an unknown name."""
    if name not in preset_names():
        raise ProdgenError(
            f"no preset is named {name!r}; there are {', '.join(preset_names())}", param="preset"
        )
    text = (files("prodgen.photographs") / "presets" / f"{name}.toml").read_text()
    return Preset.model_validate(tomllib.loads(text) | {"name": name})
