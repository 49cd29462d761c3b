"""Replace files so that readers see only complete files, even after a crash; digest files of any size."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""The error numbers for a full disk, and for a user's disk quota that is reached."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``. After the block, its file replaces the file at ``path``.

    Makes missing folders. If the block raises, ``path`` does not change.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    yield partial
    partial.replace(path)


def flush_folder(folder: str | Path) -> None:
    """Write a folder's list of files to the disk, so that a power loss does not undo new or removed names."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Return the sha256 of a file's content in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
