"""An object store in a directory, for one machine."""

import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from prodgen.errors import Conflict, NotFound, StoreUnavailable
from prodgen.files import flush_folder
from prodgen.storage.base import ObjectInfo, check_key
from prodgen.storage.links import sign

_PARTIAL = ".unfinished"
"""The folder of files that are being written. No key leads into it: no part of a key begins with a dot."""
_ABANDONED_SECONDS = 24 * 3600
_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalStore:
    """A `Store` of plain files under ``root``, which many processes of one machine may share.

    A file is written in another folder, flushed to the disk and then renamed. So readers find the old object
    or the new one, never a part, even after a crash. Links lead to the gateway and are signed with
    ``secret``. Content types are not stored. A key that would be the folder of another key raises Conflict.
    """

    def __init__(self, root: Path, secret: str, public_url: str) -> None:
        self._root = os.path.abspath(root)
        self._partial = os.path.join(self._root, _PARTIAL)
        self._secret = secret
        self._public_url = public_url
        with self._translate_errors():
            self._make_folder(self._partial)
            self._remove_abandoned()

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        with self._writing(key) as file:
            file.write(data)

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        with open(path, "rb") as source, self._writing(key) as file:
            shutil.copyfileobj(source, file, 1 << 20)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        path = self._path(key)
        with self._translate_errors(reading=key), open(path, "rb") as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def stat(self, key: str) -> ObjectInfo:
        path = self._path(key)
        with self._translate_errors(reading=key):
            status = os.stat(path)
            if not S_ISREG(status.st_mode):
                raise IsADirectoryError
            return _info(key, status)

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        check_key(prefix + "x")  # a prefix is the beginning of a key
        with self._translate_errors():
            yield from self._walk(prefix[: prefix.rfind("/") + 1], prefix, after)

    def names(self, prefix: str) -> Iterator[str]:
        check_key(prefix + "x")
        with self._translate_errors():
            yield from (name for name, _ in self._scan(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        folders = set()
        for key in keys:
            path = self._path(key)
            with self._translate_errors():
                try:
                    os.unlink(path)
                    folders.add(os.path.dirname(path))
                except _NO_FILE:
                    self._check_there()
        for folder in sorted(folders, reverse=True):
            self._remove_if_empty(folder)

    def link(self, key: str, seconds: int, file_name: str) -> str:
        return sign(self._secret, self._public_url, key, seconds, file_name)

    def check(self) -> None:
        with self._translate_errors():
            probe = os.path.join(self._partial, uuid.uuid4().hex)
            with open(probe, "xb"):
                os.unlink(probe)

    def _path(self, key: str) -> str:
        return os.path.join(self._root, check_key(key))

    @contextmanager
    def _writing(self, key: str) -> Iterator[BinaryIO]:
        """Context manager: yields a file to write. The file replaces the object if the block has no error."""
        path = self._path(key)
        partial = os.path.join(self._partial, uuid.uuid4().hex)
        with self._translate_errors(writing=key):
            try:
                with open(partial, "xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                self._rename(partial, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(partial)
                raise

    def _rename(self, partial: str, path: str) -> None:
        folder = os.path.dirname(path)
        for _ in range(9):  # `delete` of another thread may remove the folder
            with suppress(FileNotFoundError):
                os.replace(partial, path)
                break
            with suppress(FileNotFoundError):
                self._make_folder(folder)
        else:
            os.replace(partial, path)
        with suppress(FileNotFoundError):
            flush_folder(folder)

    def _make_folder(self, folder: str) -> None:
        if os.path.isdir(folder):
            return
        parent = os.path.dirname(folder)
        self._make_folder(parent)
        with suppress(FileExistsError):
            os.mkdir(folder)
            flush_folder(parent)

    def _remove_if_empty(self, folder: str) -> None:
        with suppress(OSError):
            while folder != self._root:
                os.rmdir(folder)
                folder = os.path.dirname(folder)

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[ObjectInfo]:
        """Yield the objects in ``folder`` ("" or "…/") that `list` with the same arguments returns."""
        for name, entry in self._scan(folder):
            key = folder + name
            if name.endswith("/"):
                wanted = key.startswith(prefix) or prefix.startswith(key)
                if wanted and (key > after or after.startswith(key)):
                    yield from self._walk(key, prefix, after)
            elif key.startswith(prefix) and key > after:
                with suppress(FileNotFoundError):
                    yield _info(key, entry.stat())

    def _scan(self, folder: str) -> Sequence[tuple[str, os.DirEntry[str]]]:
        """Return (name, entry) of all files and folders in ``folder``, sorted. Folders end with a slash."""
        try:
            with os.scandir(os.path.join(self._root, folder)) as entries:
                return sorted(
                    (e.name + "/" * e.is_dir(follow_symlinks=False), e) for e in entries if e.name[0] != "."
                )
        except (FileNotFoundError, NotADirectoryError):
            self._check_there()
            return []

    def _check_there(self) -> None:
        """Raise StoreUnavailable if the store's folder is missing, because it was moved or unmounted.

        Without this check the store would look empty.
        """
        if not os.path.isdir(self._partial):
            raise StoreUnavailable(f"the object store in {self._root} is not there")

    def _remove_abandoned(self) -> None:
        """Remove partial files older than a day, whose writers have crashed."""
        for entry in os.scandir(self._partial):
            with suppress(FileNotFoundError):
                if entry.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                    os.unlink(entry.path)

    @contextmanager
    def _translate_errors(self, *, reading: str = "", writing: str = "") -> Iterator[None]:
        """Raise a ProdgenError in place of an OSError in the block.

        ``reading`` or ``writing`` is the key that the block reads or writes.
        """
        try:
            yield
        except OSError as error:
            if reading and isinstance(error, _NO_FILE):
                self._check_there()
                raise NotFound(f"there is no object {reading}") from error
            if writing and isinstance(error, NotADirectoryError | IsADirectoryError):
                raise Conflict(f"{writing} would be the folder of another object, or lie in one") from error
            raise StoreUnavailable(f"the object store in {self._root} failed: {error.strerror}") from error


def is_store(root: Path) -> bool:
    """Return whether a `LocalStore` was ever created in ``root``."""
    return (root / _PARTIAL).is_dir()


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
