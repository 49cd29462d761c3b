"""Manifests. Each line has all that is needed to make one image again, and to check that it is equal."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer

from prodgen.errors import Conflict
from prodgen.spec.finish import Finish
from prodgen.spec.order import Mix
from prodgen.spec.quality import Gated
from prodgen.spec.random_streams import MAX_SEED
from prodgen.spec.redrawing import Start
from prodgen.spec.validation_errors import parse_json


class ManifestLine(BaseModel):
    """The record of one image that was made."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    index: int = Field(ge=0)
    """The number of the image within its job or command, from 0."""
    sku: str | None = None
    """The product, if the order has items."""
    seed: int = Field(ge=0, le=MAX_SEED)
    """The seed of the image: the order's, or one computed from the order's seed and the SKU."""
    draw: int = Field(ge=0, le=MAX_SEED)
    """The position in the random streams of the seed: ``index``, or the repeat if the seed is of the SKU."""
    attempt: int = Field(default=0, ge=0, le=MAX_SEED)
    """The number of the try at this image, part of its random stream."""
    attributes: dict[str, str]
    """The value of each attribute, drawn values included."""
    mix: Mix | None = None
    """The image that was mixed into this one, with all of its attributes; absent if none was."""
    picture: Start | None = None
    """The start of an image that the model has drawn from an uploaded picture: the picture's digest, the
    latent and the attributes that the model found for it, the strength of the change, and the distance.
    Absent for any other image."""
    model: str
    """``NAME@VERSION`` of the model."""
    truncation: float = Field(gt=0, le=1)
    """The order's ``truncation``."""
    finish: Finish
    """The order's ``finish``, without values that equal the defaults."""
    upscaler: str | None = None
    """The version of the upscaler's weights, if the finish asks for ``upscale``."""
    format: Literal["png", "webp", "jpeg", "avif"]
    """The format of the image file."""
    photo: str | None = None
    """The digest of the photograph from which the picture was made; for several, with ``+`` between them."""
    matte: str | None = None
    """The digest of the matte that the order names for the cut-out; absent if none. Of several photographs,
    with ``+`` between them, and empty where a photograph has none."""
    review: str | None = None
    """Why the picture of a photograph is not trusted and should be looked at; absent if it is trusted."""
    findings: tuple[str, ...] | None = None
    """The rules of the order's preset that the picture breaks; empty if none, absent without a preset."""
    quality: Gated | None = None
    """How the image passed the quality gate: the version's ``threshold``, and the ``colour_distances`` of all
    attempts that were made; absent if the order has no gate."""
    precision: str
    """The number format in which the model computed the image."""
    file: str
    """The file name for people."""
    frame: tuple[int, int, int, int] | None = None
    """The image's place in ``file``, if that is a sprite sheet: left, top, width and height in pixels."""
    sha256: str
    """The digest of ``file``."""
    object: str | None = None
    """The key in the store; jobs only."""
    offset: int | None = None
    """The first byte of the image within ``object``, if that is a tar."""
    length: int | None = None
    """The bytes of the image within ``object``, if that is a tar."""
    deleted: Literal[True] | None = None
    """True if the image was deleted from its order, so that there is no file; absent for any other image."""

    @field_serializer("finish")
    def _without_defaults(self, finish: Finish) -> dict[str, Any]:
        return finish.model_dump(exclude_defaults=True)

    def to_json(self) -> str:
        """Return the line as JSON, without a newline."""
        return self.model_dump_json(exclude_none=True)


def write_lines(lines: Iterable[ManifestLine]) -> bytes:
    """Return a manifest with these lines: JSONL, in UTF-8."""
    return b"".join(line.to_json().encode() + b"\n" for line in lines)


def read_lines(data: bytes | Iterable[bytes]) -> Iterator[ManifestLine]:
    """Yield the lines of a JSONL manifest; raises ProdgenError, which names the first broken line."""
    for number, text in enumerate(data.splitlines() if isinstance(data, bytes) else data, 1):
        yield parse_json(ManifestLine, text, f"manifest line {number} is broken")


def check_same_images(folder: Path, wanted: Iterable[ManifestLine]) -> None:
    """Raise Conflict if the folder's manifest lists an image that is not in ``wanted`` (sorted by index).

    Call it before a request writes images into the folder: the request may overwrite its own images, but must
    not overwrite images of another request, or mix with them. The sha256 is not compared, because pixels may
    differ a little between machines, and images may be deleted between two downloads.
    """
    path = folder / "manifest.jsonl"
    if not path.is_file():
        return
    remaining = iter(wanted)
    with path.open("rb") as file:
        for text in file:
            if not text.endswith(b"\n"):  # the process that wrote it was killed
                return
            if not _is_next(text, remaining):
                raise Conflict(f"{folder} already holds the images of another request; choose another folder")


def _is_next(text: bytes, remaining: Iterator[ManifestLine]) -> bool:
    try:
        line = ManifestLine.model_validate_json(text)
    except ValidationError:
        return False
    found = next((one for one in remaining if one.index >= line.index), None)
    changes = {"sha256": line.sha256, "deleted": line.deleted}
    return found is not None and found.model_copy(update=changes) == line
