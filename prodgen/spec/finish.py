"""The part of a request that applies to generated pixels: size, background, variations and file format."""

import unicodedata
from math import log
from typing import Any, Literal, NamedTuple, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from prodgen.spec.colour import Colour

MAX_NAME_BYTES = 200
"""The most bytes of a SKU in a file name; file systems allow 255 bytes for the whole name."""
Aspect = Literal["1:1", "4:5", "3:2", "16:9", "9:16"]
Edge = Literal["top", "bottom", "left", "right"]
Light = Literal["left", "right", "back"]
Pose = Literal["flat", "hanging", "standing"]
Retouch = Literal["light", "straighten"]
RETOUCHES: tuple[Retouch, ...] = get_args(Retouch)
MOST_SIDE = 2048
"""The greatest width and height of an image, in pixels."""
COPY_SPACE = 1 / 3
"""The share of the frame's width or height that copy space takes."""


Area = tuple[int, int, int, int]
"""The left, the top, the width and the height of a part of a picture, in pixels."""


class Frame(NamedTuple):
    """The size of pictures in pixels, the share of it that products fill, and the edge with the copy space.

    ``light_from``: the side of the light that casts shadows; None means soft light from the upper left.
    ``pose``: whether products lie, hang or stand, which decides where shadows fall; None means they lie.
    """

    width: int
    height: int
    fill: float
    copy_space: Edge | None = None
    light_from: Light | None = None
    pose: Pose | None = None

    @property
    def area(self) -> Area:
        """The part of the frame where products are placed: the frame without the copy space."""
        across, down = round(self.width * COPY_SPACE), round(self.height * COPY_SPACE)
        return {
            None: (0, 0, self.width, self.height),
            "top": (0, down, self.width, self.height - down),
            "bottom": (0, 0, self.width, self.height - down),
            "left": (across, 0, self.width - across, self.height),
            "right": (0, 0, self.width - across, self.height),
        }[self.copy_space]

    def areas(self, count: int) -> list[Area]:
        """Divide `area` into ``count`` parts, one for each product, in rows. The parts are nearly square."""
        left, top, width, height = self.area
        rows = min(range(1, count + 1), key=lambda rows: abs(log(width * rows * rows / (height * count))))
        areas = list[Area]()
        for row in range(rows):
            columns = count // rows + (row < count % rows)
            wide, high = width // columns, height // rows
            areas += [(left + column * wide, top + row * high, wide, high) for column in range(columns)]
        return areas


def sides(size: int, aspect: Aspect | None) -> tuple[int, int]:
    """Return (width, height) of pictures whose longer side is ``size``; square if ``aspect`` is None."""
    wide, high = map(int, (aspect or "1:1").split(":"))
    return round(size * wide / max(wide, high)), round(size * high / max(wide, high))


class Augment(BaseModel):
    """Random variations of each image. Each number is the strongest variation; 0 turns it off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flip: float = Field(default=0.0, ge=0, le=1, description="Chance of a mirror image.")
    rotation: float = Field(default=0.0, ge=0, le=180, description="Degrees to either side.")
    crop: float = Field(default=0.0, ge=0, le=0.5, description="Greatest share of the side that is cut away.")
    brightness: float = Field(default=0.0, ge=0, le=1, description="Relative change to either side.")
    contrast: float = Field(default=0.0, ge=0, le=1, description="Relative change to either side.")
    perspective: float = Field(
        default=0.0, ge=0, le=0.5, description="Corner shift as a share of half the side."
    )


class Finish(BaseModel):
    """Size, background and variations. The default leaves the generator's pixels unchanged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int | None = Field(
        default=None,
        ge=8,
        le=MOST_SIDE,
        description="Longer side in pixels; if null, the model's own size, four times that with `upscale`.",
    )
    upscale: Literal[4] | None = Field(
        default=None,
        description="4: a network enlarges generated images four times before they get their `size`; "
        "null: resampling alone.",
    )
    background: Colour | None = Field(
        default=None, description="CSS colour; the model's own background if null."
    )
    exact_colour: bool = Field(
        default=False,
        description="Shift the colours of generated products: their mean becomes the requested colour, as "
        "far as a screen can show it.",
    )
    augment: Augment = Augment()
    preset: str | None = Field(
        default=None,
        max_length=64,
        description="Marketplace whose rules pictures of photographs follow, such as amazon.",
    )
    aspect: Aspect | None = Field(
        default=None,
        description="Width to height of pictures of photographs; null: 1:1.",
    )
    copy_space: Edge | None = Field(
        default=None, description="Edge of pictures of photographs of which a third is left free for text."
    )
    light_from: Light | None = Field(
        default=None,
        description="Side from which light casts the shadows of photographed products: left, right or back; "
        "null: soft light from the upper left.",
    )
    pose: Pose | None = Field(
        default=None,
        description="How photographed products are shown: flat (on the ground, seen from above), hanging "
        "(before a wall) or standing (on a floor); null: they lie, in light from the upper left.",
    )
    retouch: tuple[Retouch, ...] = Field(
        default=(),
        max_length=len(RETOUCHES),
        description="What is mended in photographs: light (exposure and white balance, by the ground around "
        "the product), straighten (a tilted product).",
    )

    @model_serializer(mode="wrap")
    def _omit_unused(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out unused fields that earlier versions of prodgen lack, so that they read this finish."""
        fields: dict[str, Any] = plain(self)
        unused = {"upscale": None, "light_from": None, "pose": None, "exact_colour": False}
        return {k: v for k, v in fields.items() if k not in unused or v != unused[k]}

    @field_validator("retouch")
    @classmethod
    def _in_one_order(cls, retouch: tuple[Retouch, ...]) -> tuple[Retouch, ...]:
        return tuple(step for step in RETOUCHES if step in retouch)


class Output(BaseModel):
    """The format and the marks of image files, and how they are packed into objects of the store."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["png", "webp", "jpeg", "avif"] = "png"
    packaging: Literal["auto", "files", "tar", "sheet", "webdataset"] = "auto"
    """``files``: an object for each image; ``tar``: one for each lease; ``auto``: files for small jobs.
    ``sheet``: tars, which are downloaded as sprite sheets with an atlas; PNG only. ``webdataset``: tars that
    the library webdataset reads, with each image's manifest line as JSON beside the image."""
    marks: Literal["xmp", "none"] = "xmp"
    """``xmp``: each file says how it was made; ``none`` needs an API key with the scope ``unmarked``."""

    @model_validator(mode="after")
    def _check_sheet(self) -> Self:
        if self.packaging == "sheet" and self.format != "png":
            raise ValueError("sprite sheets are PNG files; set format to png")
        return self

    def content_type(self) -> str:
        """Return the MIME type of an image."""
        return f"image/{self.format}"


def file_name(index: int, format: str, sku: str | None = None, repeat: int = 0) -> str:
    """Return an image's file name for people: ``000000012.png``, or ``000000012-SKU-0.png`` with a SKU."""
    if sku is None:
        return f"{index:09d}.{extension(format)}"
    return f"{index:09d}-{safe_name(sku)}-{repeat}.{extension(format)}"


def extension(format: str) -> str:
    """Return the extension of files of a format, without a dot."""
    return "jpg" if format == "jpeg" else format


def safe_name(text: str) -> str:
    """Return ``text`` changed to a file name that every system accepts, of at most `MAX_NAME_BYTES` bytes.

    Letters, digits and accents of every script and ``._~-`` stay; every other character becomes ``_``.
    """
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(c if c in "._~-" or unicodedata.category(c)[0] in "LMN" else "_" for c in composed)
    return kept.encode()[:MAX_NAME_BYTES].decode(errors="ignore").strip(".") or "_"
