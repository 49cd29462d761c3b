"""A manifest line: all that is needed to make one image again, and to know that it is the same."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer

from prodgen.errors import ProdgenError
from prodgen.finish import Finish
from prodgen.streams import MAX_SEED


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
