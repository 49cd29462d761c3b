"""Check and make the folders that commands write to, and report disk errors."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prodgen.errors import CannotWrite, ProdgenError
from prodgen.files import DISK_FULL

DISK_ERRORS = (
    *(*DISK_FULL, errno.EFBIG, errno.EIO),
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT),
)
_RUST_ERROR = re.compile(r"\(os error (\d+)\)")
"""Finds the system's error number in a message of safetensors, which raises no OSError for a disk error."""


def check_folder(path: Path) -> None:
    """Raise ProdgenError if the folder is not writable, or cannot be made. Does not make the folder."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        raise ProdgenError(f"cannot write to {path}: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise CannotWrite(f"cannot write to {path}: {nearest} is read-only for you")


@contextmanager
def writing(folder: Path, *, make: bool = True) -> Iterator[None]:
    """Make the folder (unless ``make`` is false) and run the block, which writes to it. Explain disk errors.

    Raises CannotWrite with the path and the reason if the disk is full or read-only, or if the folder was
    removed. Raises ProdgenError if a part of the path is a file.
    """
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise ProdgenError(f"cannot write to {folder}: {error.strerror}") from None
    except Exception as error:
        names = (getattr(error, "filename2", None), getattr(error, "filename", None), folder)
        code, path = _errno(error), Path(next(filter(None, names)))
        if code not in DISK_ERRORS or not path.absolute().is_relative_to(folder.absolute()):
            raise
        raise CannotWrite(f"cannot write to {path}: {os.strerror(code)}") from None


def _errno(error: Exception) -> int | None:
    """Return the operating system's number of the error, or None if the error has no such number."""
    if isinstance(error, OSError):
        return error.errno
    found = _RUST_ERROR.search(str(error))
    return int(found[1]) if found else None
