"""What is done to an image after the generator: the part of a request that says so."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prodgen.spec.colour import Colour


class Augment(BaseModel):
    """Variations drawn anew for every image; each number is the greatest strength, 0 leaves the thing out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flip: float = Field(default=0.0, ge=0, le=1, description="Chance of a mirror image.")
    rotation: float = Field(default=0.0, ge=0, le=180, description="Degrees to either side.")
    crop: float = Field(default=0.0, ge=0, le=0.5, description="Share of the side that may be cut away.")
    brightness: float = Field(default=0.0, ge=0, le=1, description="Relative change to either side.")
    contrast: float = Field(default=0.0, ge=0, le=1, description="Relative change to either side.")
    perspective: float = Field(
        default=0.0, ge=0, le=0.5, description="Corner shift as a share of half the side."
    )


class Finish(BaseModel):
    """Size, ground and variations. The default leaves the generator's own pixels as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int | None = Field(default=None, ge=8, le=2048, description="Side in pixels; the model's if null.")
    background: Colour | None = Field(default=None, description="CSS colour; the model's own ground if null.")
    augment: Augment = Augment()


class Output(BaseModel):
    """How images are stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["png", "webp", "jpeg"] = "png"
    packaging: Literal["auto", "files", "tar"] = "auto"
    """``files``: one object an image; ``tar``: one object a run of cells; ``auto``: files for small jobs."""

    def content_type(self) -> str:
        """The MIME type of one image."""
        return f"image/{self.format}"


def file_name(index: int, format: str, sku: str | None = None, repeat: int = 0) -> str:
    """The name a person sees: ``000000012.png``, or ``SKU-0.png`` where the image belongs to a SKU."""
    extension = {"jpeg": "jpg"}.get(format, format)
    if sku is None:
        return f"{index:09d}.{extension}"
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", sku).lstrip(".") or "_"
    return f"{index:09d}-{safe}-{repeat}.{extension}"
