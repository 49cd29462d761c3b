"""A manifest line: all that is needed to make one image again, and to know that it is the same."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer

from prodgen.errors import Conflict, ProdgenError
from prodgen.spec.finish import Finish
from prodgen.spec.streams import MAX_SEED


class ManifestLine(BaseModel):
    """One image as it was made.

    ``draw`` is the image's place in its seed's random stream: the index itself, or the repeat where the seed
    comes from the SKU. ``file`` is what a person sees; ``object`` with ``offset`` and ``length`` (bytes, for
    a member of a tar) is where it lies in the store, for jobs. ``sha256`` is of the stored bytes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: int = Field(ge=0)
    sku: str | None = None
    seed: int = Field(ge=0, le=MAX_SEED)
    draw: int = Field(ge=0, le=MAX_SEED)
    attempt: int = Field(default=0, ge=0, le=MAX_SEED)
    attributes: dict[str, str]
    model: str
    truncation: float = Field(gt=0, le=1)
    finish: Finish
    format: Literal["png", "webp", "jpeg"]
    precision: str
    file: str
    sha256: str
    object: str | None = None
    offset: int | None = None
    length: int | None = None

    @field_serializer("finish")
    def _briefly(self, finish: Finish) -> dict[str, Any]:
        return finish.model_dump(exclude_defaults=True)

    def to_json(self) -> str:
        """The line, without its newline."""
        return self.model_dump_json(exclude_none=True)


def write_lines(lines: Iterable[ManifestLine]) -> bytes:
    """The lines as JSONL."""
    return b"".join(line.to_json().encode() + b"\n" for line in lines)


def read_lines(data: bytes) -> Iterator[ManifestLine]:
    """The lines of a JSONL manifest; raises ProdgenError naming the first that is broken."""
    for number, text in enumerate(data.splitlines(), 1):
        try:
            yield ManifestLine.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise ProdgenError(f"manifest line {number} is broken: {where}: {first['msg']}") from None


def check_same(folder: Path, wanted: Iterable[ManifestLine]) -> None:
    """Raises Conflict if the folder's manifest lists an image that is none of ``wanted`` (by index).

    A request may be written over itself, or over the part of it that is there; another's images would be
    mixed with it, or lost. The bytes, which may differ a little, are not compared.
    """
    path = folder / "manifest.jsonl"
    if not path.is_file():
        return
    ahead = iter(wanted)
    with path.open("rb") as file:
        for text in file:
            if not text.endswith(b"\n"):  # half a line, of a run that was killed
                return
            if not _comes_next(text, ahead):
                raise Conflict(f"{folder} already holds the images of another request; choose another folder")


def _comes_next(text: bytes, ahead: Iterator[ManifestLine]) -> bool:
    try:
        line = ManifestLine.model_validate_json(text)
    except ValidationError:
        return False
    found = next((one for one in ahead if one.index >= line.index), None)
    return found is not None and found.model_copy(update={"sha256": line.sha256}) == line
