"""The list of a data set's files: JSONL, a file a line, each cut into chunks, which their sha256 names."""

from collections.abc import Iterable, Iterator
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from prodgen.errors import ProdgenError
from prodgen.spec.validation_errors import explain
from prodgen.storage.base import check_key

CHUNK = 32 << 20
"""Bytes of every chunk but a file's last, which has the rest."""
MOST_FILES = 200_000
MOST_BYTES = 256 << 30
"""Of all files together: a worker must find room for them."""
LONGEST = 512
"""Bytes of a path."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Chunk(NamedTuple):
    """``length`` bytes of a file from ``offset`` on."""

    sha256: str
    offset: int
    length: int


class ListedFile(BaseModel):
    """A file by its path within the data set's folder; an empty one has no chunks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    bytes: Annotated[int, Field(ge=0, le=MOST_BYTES)]
    chunks: tuple[Sha256, ...]

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        try:
            check_path(self.path)
        except ProdgenError as error:
            raise ValueError(str(error)) from None
        if len(self.chunks) != -(-self.bytes // CHUNK):
            raise ValueError(
                f"{self.path} has {self.bytes} bytes in {len(self.chunks)} chunks; each should have "
                f"{CHUNK} bytes, and only the last fewer"
            )
        return self

    def cut(self) -> Iterator[Chunk]:
        """The chunks in their order."""
        for number, digest in enumerate(self.chunks):
            yield Chunk(digest, number * CHUNK, min(CHUNK, self.bytes - number * CHUNK))


def check_path(path: str) -> None:
    """Raise ProdgenError unless every machine can keep a file under this path and it leads nowhere else."""
    try:
        check_key(path)
    except ProdgenError:
        sound = False
    else:
        sound = len(path.encode()) <= LONGEST
    if not sound:
        raise ProdgenError(
            f"{path!r} is not a path that a data set can have; it should be at most {LONGEST} bytes that "
            "can be printed, with no backslash, and no name in it empty or beginning with a dot"
        )


def read_listing(data: bytes) -> list[ListedFile]:
    """The files of a list, sorted by their paths; raises ProdgenError naming the line at fault."""
    lines = data.splitlines()
    if not lines:
        raise ProdgenError("the list of files is empty")
    if len(lines) > MOST_FILES:
        raise ProdgenError(f"the list has {len(lines):,} files; a data set has at most {MOST_FILES:,}")
    files = {}
    for number, line in enumerate(lines, 1):
        file = _read_line(number, line)
        if file.path in files:
            raise ProdgenError(f"line {number} of the list of files: {file.path} is there twice")
        files[file.path] = file
    folders = {path[:at] for path in files for at, letter in enumerate(path) if letter == "/"}
    both = sorted(folders & files.keys())
    if both:
        raise ProdgenError(f"{both[0]} is both a file and a folder in the list of files")
    total = sum(file.bytes for file in files.values())
    if total > MOST_BYTES:
        raise ProdgenError(f"the files have {total >> 30} GiB; a data set has at most {MOST_BYTES >> 30} GiB")
    return [files[path] for path in sorted(files)]


def write_listing(files: Iterable[ListedFile]) -> bytes:
    """The list of these files, the same bytes for the same files whatever their order."""
    lines = (file.model_dump_json() + "\n" for file in sorted(files, key=lambda file: file.path))
    return "".join(lines).encode()


def _read_line(number: int, line: bytes) -> ListedFile:
    try:
        return ListedFile.model_validate_json(line)
    except ValidationError as error:
        raise ProdgenError(f"line {number} of the list of files: {explain(error, 'it')}") from None
