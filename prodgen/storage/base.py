"""The interface that every object store implements, the rules for keys, and helpers for any store."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from prodgen.errors import NotFound, ProdgenError
from prodgen.storage import keys
from prodgen.storage.cache import check_room

T = TypeVar("T")
R = TypeVar("R")

THREADS = 8
"""How many requests to the store `in_threads` runs at once."""
_CHUNK = 16 << 20


@dataclass(frozen=True)
class ObjectInfo:
    """An object's key, its size in bytes, and the time of its last change, with a time zone."""

    key: str
    size: int
    modified: datetime


class Store(Protocol):
    """A store of objects by key. No key may be the folder of another key; see `check_key`.

    Every method may be called from many threads. Reading an object that does not exist raises NotFound. If
    the store does not answer after retries, or refuses the credentials, every method raises StoreUnavailable.
    """

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Write ``data`` as the object ``key``, or replace that object.

        Readers never see a part of it, and it survives a crash once the call has returned.
        """

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """Write the content of the file ``path``, of any size, as the object ``key``, like `put`."""

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return the object's bytes from ``offset`` on: at most ``length`` bytes, or all if None."""

    def stat(self, key: str) -> ObjectInfo:
        """Return the size and the modification time of one object."""

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys start with ``prefix`` and sort after ``after``, in key order."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names directly below ``prefix`` ("" or "…/"). A folder's name ends with a slash."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the objects with these keys; ignore keys without an object."""

    def link(self, key: str, seconds: int, file_name: str) -> str:
        """Return a URL from which anyone may download the object as ``file_name`` for ``seconds``.

        Raises ProdgenError for objects that belong neither to a tenant nor to the shared models.
        """

    def __hash__(self) -> int:
        """Return a hash, so that a store can be an argument of functions with `lru_cache`."""

    def check(self) -> None:
        """Raise StoreUnavailable unless the store answers and accepts the credentials."""


def check_key(key: str) -> str:
    """Return ``key`` if it is valid in every kind of store; raises ProdgenError otherwise.

    A valid key has at most 1024 bytes of printable UTF-8 without backslashes. Each part between slashes has
    1 to 255 bytes and does not begin with a dot, so that no key leads out of the store's folder.
    """
    if key.isprintable() and "\\" not in key and len(key.encode()) <= 1024:
        parts = key.split("/")
        if all(part and part[0] != "." and len(part.encode()) <= 255 for part in parts):
            return key
    raise ProdgenError(f"{key!r} is not a valid key")


def download(store: Store, key: str, path: Path) -> None:
    """Write an object of any size to the file ``path``.

    Raises NotFound if there is no such object, and NoRoom if the disk has no room for it.
    """
    check_room(path.parent, store.stat(key).size)
    with path.open("wb") as file:
        file.writelines(read_chunks(store, key))


def read_chunks(store: Store, key: str) -> Iterator[bytes]:
    """Yield the bytes of an object in pieces, so that an object larger than the memory can be read."""
    size = store.stat(key).size
    for offset in range(0, size, _CHUNK):
        yield store.get(key, offset, min(_CHUNK, size - offset))


def exists(store: Store, key: str) -> bool:
    """Return whether the store has an object with this key."""
    try:
        store.stat(key)
    except NotFound:
        return False
    return True


def list_folders(store: Store, prefix: str) -> Iterator[str]:
    """Yield the names of the folders directly below ``prefix`` ("" or "…/")."""
    return (name[:-1] for name in store.names(prefix) if name.endswith("/"))


def tenant_folders(store: Store, prefix: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Yield each tenant, and the name of each folder directly below ``prefix(tenant)``."""
    for tenant in list_folders(store, keys.TENANTS):
        for name in list_folders(store, prefix(tenant)):
            yield tenant, name


def in_threads(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Call ``work`` on each item, in up to `THREADS` threads. Yield the results in the order of the items.

    After the first error, no further call starts, and the error is raised.
    """
    pool = ThreadPoolExecutor(THREADS)
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)
