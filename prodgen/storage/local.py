"""The object store of one machine: a directory."""

import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from prodgen.errors import Conflict, NotFound, Unavailable
from prodgen.storage.base import ObjectInfo, check_key, check_prefix
from prodgen.storage.links import sign

_UNFINISHED = ".unfinished"  # no key begins with a dot
_UNFINISHED_SECONDS = 24 * 3600
_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalStore:
    """Objects as plain files under ``root``; many processes of one machine may share it.

    A file is written aside, flushed to the disk and renamed, so that a reader sees the old object or the new
    one and a crash leaves one of them. Links lead to the gateway, signed with ``secret``. Content types are
    not kept: the key's ending tells. A key can't be the folder of another (raises Conflict).
    """

    def __init__(self, root: Path, secret: str, public_url: str) -> None:
        self._root = os.path.abspath(root)
        self._aside = os.path.join(self._root, _UNFINISHED)
        self._secret = secret
        self._public_url = public_url
        with self._plainly():
            os.makedirs(self._aside, exist_ok=True)
            self._sweep()

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        with self._replacing(key) as file:
            file.write(data)

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        with open(path, "rb") as source, self._replacing(key) as file:
            shutil.copyfileobj(source, file, 1 << 20)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        path = self._path(key)
        with self._plainly(absent=key), open(path, "rb") as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def stat(self, key: str) -> ObjectInfo:
        path = self._path(key)
        with self._plainly(absent=key):
            status = os.stat(path)
            if not S_ISREG(status.st_mode):
                raise IsADirectoryError
            return _info(key, status)

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        with self._plainly():
            yield from self._walk(prefix[: prefix.rfind("/") + 1], prefix, after)

    def delete(self, keys: Iterable[str]) -> None:
        folders = set()
        for key in keys:
            path = self._path(key)
            with self._plainly(), suppress(*_NO_FILE):
                os.unlink(path)
                folders.add(os.path.dirname(path))
        for folder in sorted(folders, reverse=True):
            self._remove_if_empty(folder)

    def link(self, key: str, seconds: int, file_name: str) -> str:
        return sign(self._secret, self._public_url, key, seconds, file_name)

    def check(self) -> None:
        with self._plainly():
            probe = os.path.join(self._aside, uuid.uuid4().hex)
            with open(probe, "xb"):
                os.unlink(probe)

    def _path(self, key: str) -> str:
        return os.path.join(self._root, check_key(key))

    @contextmanager
    def _replacing(self, key: str) -> Iterator[BinaryIO]:
        """A file to write; afterwards it is the object ``key``, for good, unless writing failed."""
        path = self._path(key)
        aside = os.path.join(self._aside, uuid.uuid4().hex)
        with self._plainly(blocked=key):
            try:
                with open(aside, "xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                self._rename(aside, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(aside)
                raise

    def _rename(self, aside: str, path: str) -> None:
        folder = os.path.dirname(path)
        for _ in range(9):  # `delete` may remove an empty folder under our feet
            with suppress(FileNotFoundError):
                os.replace(aside, path)
                break
            with suppress(FileNotFoundError):
                self._make_folder(folder)
        else:
            os.replace(aside, path)
        with suppress(FileNotFoundError):
            _flush_folder(folder)

    def _make_folder(self, folder: str) -> None:
        if os.path.isdir(folder):
            return
        parent = os.path.dirname(folder)
        self._make_folder(parent)
        with suppress(FileExistsError):
            os.mkdir(folder)
            _flush_folder(parent)

    def _remove_if_empty(self, folder: str) -> None:
        with suppress(OSError):
            while folder != self._root:
                os.rmdir(folder)
                folder = os.path.dirname(folder)

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[ObjectInfo]:
        """The objects in ``folder`` ("" or "…/"); a subfolder sorts as its keys do, by name and slash."""
        try:
            with os.scandir(os.path.join(self._root, folder)) as entries:
                found = sorted(
                    (e.name + "/" * e.is_dir(follow_symlinks=False), e) for e in entries if e.name[0] != "."
                )
        except (FileNotFoundError, NotADirectoryError):
            return
        for name, entry in found:
            key = folder + name
            if name.endswith("/"):
                wanted = key.startswith(prefix) or prefix.startswith(key)
                if wanted and (key > after or after.startswith(key)):
                    yield from self._walk(key, prefix, after)
            elif key.startswith(prefix) and key > after:
                with suppress(FileNotFoundError):
                    yield _info(key, entry.stat())

    def _sweep(self) -> None:
        """Remove what crashed writers left, once it is certain that they no longer write."""
        for entry in os.scandir(self._aside):
            with suppress(FileNotFoundError):
                if entry.stat().st_mtime < time.time() - _UNFINISHED_SECONDS:
                    os.unlink(entry.path)

    @contextmanager
    def _plainly(self, *, absent: str = "", blocked: str = "") -> Iterator[None]:
        """Turn the system's errors into ours: ``absent`` is a key being read, ``blocked`` one written."""
        try:
            yield
        except OSError as error:
            if absent and isinstance(error, _NO_FILE):
                raise NotFound(f"there is no object {absent}") from error
            if blocked and isinstance(error, NotADirectoryError | IsADirectoryError):
                raise Conflict(f"{blocked} and another object are each other's folder") from error
            raise Unavailable(f"the object store in {self._root} failed: {error.strerror}") from error


def is_store(root: Path) -> bool:
    """Whether a `LocalStore` was ever begun there."""
    return (root / _UNFINISHED).is_dir()


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _flush_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
