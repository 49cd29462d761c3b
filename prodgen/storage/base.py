"""The protocol of an object store, the rules for keys, and functions for every kind of store."""

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
"""How many requests to the store run at once."""
_CHUNK = 16 << 20


@dataclass(frozen=True)
class ObjectInfo:
    """What a store knows of an object: ``size`` is in bytes, ``modified`` is a time with a time zone."""

    key: str
    size: int
    modified: datetime


class Store(Protocol):
    """A store of objects by key. No key may be the folder of another key; see `check_key`.

    Every method may be called from many threads. Reading an object that does not exist raises NotFound. If
    the store does not answer after retries, or refuses the credentials, every method raises StoreUnavailable.
    """

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Store ``data`` durably and in one step; replace the object if it exists."""

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """Store the content of the file ``path``, of any size, as `put` does."""

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return the object's bytes from ``offset`` to the end, or at most ``length`` of them."""

    def stat(self, key: str) -> ObjectInfo:
        """Return the size and the modification time of one object."""

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys start with ``prefix`` and sort after ``after``, in key order."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names directly below ``prefix`` ("" or "…/"): of objects, and of folders with a slash."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the objects with these keys; ignore keys without an object."""

    def link(self, key: str, seconds: int, file_name: str) -> str:
        """Return a URL from which anyone may download the object as ``file_name`` for ``seconds``.

        Raises ProdgenError for objects that belong neither to a tenant nor to the shared models.
        """

    def __hash__(self) -> int:
        """Return a hash, by which results of reading unchanging objects of a store are cached."""

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
    """Yield the bytes of an object of any size in pieces that fit into memory."""
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
    """Call ``work``, which uses a store, on each item in a few threads, and yield the results in order.

    An error stops all.
    """
    pool = ThreadPoolExecutor(THREADS)
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)
