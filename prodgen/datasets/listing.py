"""The list of a data set's files, and the files' chunks. A line of the list (JSONL) describes one file."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.validation_errors import parse_json
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store, check_key

CHUNK = 32 << 20
"""Bytes in each chunk of a file; the last chunk of the file has the remaining bytes."""
MAX_FILES = 200_000
MAX_BYTES = 256 << 30
"""The most bytes that the files of a data set may have together; they must fit on a worker's disk."""
MAX_PATH_BYTES = 512
MAX_STATS = 100
"""The most chunks that are looked up one by one. For more, listing all uploads of the tenant is faster."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Chunk(NamedTuple):
    """A part of a file: ``length`` bytes from ``offset`` on, and their sha256."""

    sha256: str
    offset: int
    length: int


class ListedFile(BaseModel):
    """A file of a data set. ``path`` is relative to the data set's folder. ``chunks``: the sha256 of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    bytes: Annotated[int, Field(ge=0, le=MAX_BYTES)]
    chunks: tuple[Sha256, ...]

    @model_validator(mode="after")
    def _check_chunks(self) -> Self:
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

    def iter_chunks(self) -> Iterator[Chunk]:
        """Yield the chunks of the file in order."""
        for number, digest in enumerate(self.chunks):
            yield Chunk(digest, number * CHUNK, min(CHUNK, self.bytes - number * CHUNK))


def check_path(path: str) -> None:
    """Raise ProdgenError unless the path is valid on every machine and stays inside the data set's folder."""
    with suppress(ProdgenError):
        if len(check_key(path).encode()) <= MAX_PATH_BYTES:
            return
    raise ProdgenError(
        f"{path!r} is not a path that a data set can have; it should be at most {MAX_PATH_BYTES} bytes that "
        "can be printed, with no backslash, and no name in it empty or beginning with a dot"
    )


def read_listing(data: bytes) -> list[ListedFile]:
    """Parse a list of files and return the files sorted by path. Raises ProdgenError for a broken list."""
    lines = data.splitlines()
    if not lines:
        raise ProdgenError("the list of files is empty")
    if len(lines) > MAX_FILES:
        raise ProdgenError(f"the list has {len(lines):,} files; a data set has at most {MAX_FILES:,}")
    files = {}
    for number, line in enumerate(lines, 1):
        file = parse_json(ListedFile, line, f"line {number} of the list of files")
        if file.path in files:
            raise ProdgenError(f"line {number} of the list of files: {file.path} is there twice")
        files[file.path] = file
    folders = {path[:at] for path in files for at, letter in enumerate(path) if letter == "/"}
    both = sorted(folders & files.keys())
    if both:
        raise ProdgenError(f"{both[0]} is both a file and a folder in the list of files")
    total = sum(file.bytes for file in files.values())
    if total > MAX_BYTES:
        raise ProdgenError(f"the files have {total >> 30} GiB; a data set has at most {MAX_BYTES >> 30} GiB")
    return [files[path] for path in sorted(files)]


def write_listing(files: Iterable[ListedFile]) -> bytes:
    """Return the list of ``files`` as JSONL, sorted by path: the same files always give the same bytes."""
    lines = (file.model_dump_json() + "\n" for file in sorted(files, key=lambda file: file.path))
    return "".join(lines).encode()


def find_chunks(store: Store, tenant: str, digests: Collection[str]) -> dict[str, ObjectInfo]:
    """Return, by digest, the stored object of each chunk in ``digests`` that the tenant has uploaded."""
    found = {}
    if len(digests) <= MAX_STATS:
        for digest in digests:
            with suppress(NotFound):
                found[digest] = store.stat(keys.upload(tenant, digest))
        return found
    wanted = set(digests)
    first, last, prefix = min(wanted), max(wanted), keys.uploads(tenant)
    for info in store.list(prefix, after=prefix + first[:-1]):  # a shorter key sorts before the first digest
        digest = info.key.removeprefix(prefix)
        if digest in wanted:
            found[digest] = info
        if digest >= last:
            break
    return found
