"""Push a folder to a gateway or a store; chunks that are there already are not sent again."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from prodgen.datasets.folder_files import Content, find_files
from prodgen.datasets.folder_summary import OnProgress
from prodgen.datasets.listing import CHUNK, Chunk, ListedFile, write_listing
from prodgen.datasets.summary import Summary
from prodgen.errors import ProdgenError

UPLOADS = 8

Item = TypeVar("Item")


class Pushed(NamedTuple):
    """The data set as the target describes it, and the number of bytes that were sent."""

    dataset: dict[str, Any]
    sent: int


class PushTarget(Protocol):
    """Where data sets are pushed to: `prodgen.client.Client`, or `StoreTarget` for a store itself."""

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Return the digests that have not been uploaded yet."""

    def send(self, data: bytes) -> str:
        """Upload the data and return its digest."""

    def create_dataset(self, name: str, listing: str, summary: dict[str, Any]) -> dict[str, Any]:
        """Create a version from the upload ``listing``, the list of its files; return its description."""


def push(target: PushTarget, folder: Path, name: str, summary: Summary, on_progress: OnProgress) -> Pushed:
    """Create a version of the data set ``name`` from the folder's files.

    A push that was interrupted may be repeated; it sends only the chunks that are missing.
    """
    contents = find_files(folder)
    files = _read(contents, on_progress)
    parts = {chunk.sha256: (file.path, chunk) for file in files for chunk in file.iter_chunks()}
    listing = write_listing(files)
    digest = hashlib.sha256(listing).hexdigest()
    missing = target.missing([digest, *parts])
    wanted = [part for sha256, part in parts.items() if sha256 in missing]
    total = sum(chunk.length for _, chunk in wanted)

    def send(part: tuple[str, Chunk]) -> int:
        path, chunk = part
        if target.send(_bytes(contents[path], chunk.offset)) != chunk.sha256:
            raise ProdgenError(f"{path} changed while it was sent; push again")
        return chunk.length

    _in_parallel(send, wanted, "Sending", total, on_progress)
    if digest in missing:
        target.send(listing)
    return Pushed(target.create_dataset(name, digest, summary.model_dump(mode="json")), total)


def _read(contents: dict[str, Content], on_progress: OnProgress) -> list[ListedFile]:
    """Hash every chunk of every file."""
    files = []

    def read(path: str) -> int:
        chunks = [*_chunks(contents[path])]
        size = sum(length for _, length in chunks)
        files.append(ListedFile(path=path, bytes=size, chunks=tuple(digest for digest, _ in chunks)))
        return size

    total = sum(len(s) if isinstance(s, bytes) else s.stat().st_size for s in contents.values())
    _in_parallel(read, contents, "Hashing", total, on_progress)
    return files


def _chunks(content: Content) -> Iterator[tuple[str, int]]:
    """Yield the sha256 and the length of each chunk."""
    offset = 0
    while data := _bytes(content, offset):
        yield hashlib.sha256(data).hexdigest(), len(data)
        offset += CHUNK


def _bytes(content: Content, offset: int) -> bytes:
    """Return the chunk at ``offset``."""
    if isinstance(content, bytes):
        return content[offset : offset + CHUNK]
    with content.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK)


def _in_parallel(
    work: Callable[[Item], int], items: Iterable[Item], what: str, total: int, on_progress: OnProgress
) -> None:
    """Call ``work``, which returns the bytes it has done, for all items on `UPLOADS` threads."""
    done = 0
    with ThreadPoolExecutor(UPLOADS) as pool:
        for length in pool.map(work, items):
            done += length
            on_progress(what, done, total)
