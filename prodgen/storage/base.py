"""What prodgen asks of an object store."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from prodgen.errors import ProdgenError


@dataclass(frozen=True)
class ObjectInfo:
    """An object without its content; ``size`` in bytes, ``modified`` with its time zone."""

    key: str
    size: int
    modified: datetime


class Store(Protocol):
    """Objects under slash-separated keys (see `check_key`; no key may be the folder of another).

    Every method is safe to call from many threads.
    A read of what does not exist raises `prodgen.errors.NotFound`; a store that does not answer, or refuses
    the credentials, raises `prodgen.errors.Unavailable` after its retries.
    """

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Store ``data`` whole or not at all, durably, in place of whatever was there."""

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """`put` of a file of any size."""

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """The object's bytes from ``offset``; all that follow, or at most ``length`` of them."""

    def stat(self, key: str) -> ObjectInfo:
        """Size and age of one object."""

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """The objects whose keys start with ``prefix`` and sort after ``after``, in key order."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; one that is not there is no error."""

    def link(self, key: str, seconds: int, file_name: str) -> str:
        """A URL by which anyone may download the object, as ``file_name``, for so many seconds."""

    def check(self) -> None:
        """Return if the store answers and accepts the credentials; else raise Unavailable."""


def check_key(key: str) -> str:
    """``key`` itself if every store can keep it and it leads nowhere else; raises ProdgenError otherwise.

    At most 1024 bytes of printable UTF-8; between slashes, 1 to 255 bytes that don't begin with a dot.
    """
    if key.isprintable() and "\\" not in key and len(key.encode()) <= 1024:
        parts = key.split("/")
        if all(part and part[0] != "." and len(part.encode()) <= 255 for part in parts):
            return key
    raise ProdgenError(f"{key!r} is not a valid key")


def check_prefix(prefix: str) -> str:
    """``prefix`` itself if it is empty or the beginning of a valid key; raises ProdgenError otherwise."""
    check_key(prefix + "x")
    return prefix
