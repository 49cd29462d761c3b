"""Push a folder as a data set to a gateway or a store. Sends only the chunks that are not uploaded yet."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from prodgen.datasets.folder_files import Content, find_files
from prodgen.datasets.listing import CHUNK, Chunk, ListedFile, find_chunks, write_listing
from prodgen.datasets.summary import OnProgress, Summary
from prodgen.datasets.versions import Lock, create_dataset
from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.storage import keys
from prodgen.storage.base import Store

UPLOADS = 8

Item = TypeVar("Item")


class Pushed(NamedTuple):
    """The result of a push. ``dataset``: the target's description of the version. ``sent``: bytes sent."""

    dataset: dict[str, Any]
    sent: int


class PushTarget(Protocol):
    """A destination of data sets: a gateway (`prodgen.client.Client`) or a store (`StoreTarget`)."""

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Return the digests whose data are not uploaded yet."""

    def send(self, data: bytes) -> str:
        """Upload ``data`` and return its sha256."""

    def create_dataset(self, name: str, listing: str, summary: dict[str, Any]) -> dict[str, Any]:
        """Create a version of the data set ``name``, and return the description of the version.

        ``listing``: the digest of the uploaded list of its files.
        """


class StoreTarget:
    """A store as a `PushTarget` of one tenant. ``lock`` returns the tenant's `dataset_lock`."""

    def __init__(self, store: Store, tenant: str, lock: Lock = nullcontext) -> None:
        self.store, self.tenant, self.lock = store, tenant, lock

    def missing(self, digests: Iterable[str]) -> set[str]:
        asked = set(digests)
        return asked - find_chunks(self.store, self.tenant, asked).keys()

    def send(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.store.put(keys.upload(self.tenant, digest), data, "application/octet-stream")
        return digest

    def create_dataset(self, name: str, listing: str, summary: dict[str, Any]) -> dict[str, Any]:
        """Create a version of the data set ``name`` from uploaded files, and return it as the HTTP API does.

        Raises Unavailable if one of the files was removed meanwhile; then push all files again.
        """
        known = Summary.model_validate(summary)
        try:
            with self.lock():
                made = create_dataset(self.store, self.tenant, name, listing, known)
        except (Conflict, NotFound) as error:
            raise Unavailable(str(error)) from error
        return {**made.model_dump(mode="json"), "id": made.id}


def push(target: PushTarget, folder: Path, name: str, summary: Summary, on_progress: OnProgress) -> Pushed:
    """Upload the files in ``folder`` and create a version of the data set ``name`` from them.

    An interrupted push may be repeated. It then sends only the missing chunks.
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
    """Return every file with the sha256 of each of its chunks."""
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
    """Yield the sha256 and the length of each chunk of ``content``."""
    offset = 0
    while data := _bytes(content, offset):
        yield hashlib.sha256(data).hexdigest(), len(data)
        offset += CHUNK


def _bytes(content: Content, offset: int) -> bytes:
    """Return the bytes of the chunk that begins at ``offset``."""
    if isinstance(content, bytes):
        return content[offset : offset + CHUNK]
    with content.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK)


def _in_parallel(
    work: Callable[[Item], int], items: Iterable[Item], what: str, total: int, on_progress: OnProgress
) -> None:
    """Call ``work`` for each item on `UPLOADS` threads. ``work`` returns the number of bytes of the item."""
    done = 0
    with ThreadPoolExecutor(UPLOADS) as pool:
        for length in pool.map(work, items):
            done += length
            on_progress(what, done, total)
