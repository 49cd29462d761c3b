"""A folder is brought to the gateway: what is there already is not sent again."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from prodgen.datasets.describe import Report
from prodgen.datasets.listing import CHUNK, Chunk, ListedFile, write_listing
from prodgen.datasets.sources import Source, find_sources
from prodgen.datasets.summary import Summary
from prodgen.errors import ProdgenError

UPLOADS = 8

Item = TypeVar("Item")


class Pushed(NamedTuple):
    """The data set as the gateway describes it, and how many bytes of it had to be sent."""

    dataset: dict[str, Any]
    sent: int


class Receiver(Protocol):
    """Who keeps what is pushed: `prodgen.client.Client`, or `prodgen.datasets.direct.Direct`."""

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Those of which no upload is there yet."""

    def send(self, data: bytes) -> str:
        """Keep an upload -> its digest."""

    def create_dataset(self, name: str, listing: str, summary: dict[str, Any]) -> dict[str, Any]:
        """Make a version of the files that the upload ``listing`` lists."""


def push(gateway: Receiver, folder: Path, name: str, summary: Summary, report: Report) -> Pushed:
    """Make a version ``name`` of the folder's files; one that broke off goes on where it was, if repeated."""
    sources = find_sources(folder)
    files = _read(sources, report)
    parts = {chunk.sha256: (file.path, chunk) for file in files for chunk in file.cut()}
    listing = write_listing(files)
    digest = hashlib.sha256(listing).hexdigest()
    missing = gateway.missing([digest, *parts])
    wanted = [part for sha256, part in parts.items() if sha256 in missing]
    total = sum(chunk.length for _, chunk in wanted)

    def send(part: tuple[str, Chunk]) -> int:
        path, chunk = part
        if gateway.send(_bytes(sources[path], chunk.offset)) != chunk.sha256:
            raise ProdgenError(f"{path} changed while it was sent; push again")
        return chunk.length

    _each(send, wanted, "Sending", total, report)
    if digest in missing:
        gateway.send(listing)
    return Pushed(gateway.create_dataset(name, digest, summary.model_dump(mode="json")), total)


def _read(sources: dict[str, Source], report: Report) -> list[ListedFile]:
    """Each file cut into chunks, which are named by their content."""
    files = []

    def read(path: str) -> int:
        chunks = [*_chunks(sources[path])]
        size = sum(length for _, length in chunks)
        files.append(ListedFile(path=path, bytes=size, chunks=tuple(digest for digest, _ in chunks)))
        return size

    total = sum(len(s) if isinstance(s, bytes) else s.stat().st_size for s in sources.values())
    _each(read, sources, "Hashing", total, report)
    return files


def _chunks(source: Source) -> Iterator[tuple[str, int]]:
    """The sha256 and the length of each chunk."""
    offset = 0
    while data := _bytes(source, offset):
        yield hashlib.sha256(data).hexdigest(), len(data)
        offset += CHUNK


def _bytes(source: Source, offset: int) -> bytes:
    """The chunk that begins there."""
    if isinstance(source, bytes):
        return source[offset : offset + CHUNK]
    with source.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK)


def _each(work: Callable[[Item], int], items: Iterable[Item], what: str, total: int, report: Report) -> None:
    """Do all of it, some at a time; ``work`` says how many bytes it did."""
    done = 0
    with ThreadPoolExecutor(UPLOADS) as pool:
        for length in pool.map(work, items):
            done += length
            report(what, done, total)
