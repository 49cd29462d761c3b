"""Folders that commands write to, and what happens when the disk fails."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prodgen.errors import CannotWrite, ProdgenError

DISK_ERRORS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT),
)
_RUST_ERROR = re.compile(r"\(os error (\d+)\)")
"""Part of the message of safetensors, whose errors are no OSError."""


def check_folder(path: Path) -> None:
    """Raise ProdgenError if the folder could not be made or written to; make nothing."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        raise ProdgenError(f"cannot write to {path}: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise CannotWrite(f"cannot write to {path}: {nearest} is read-only for you")


@contextmanager
def writing(folder: Path, *, make: bool = True) -> Iterator[None]:
    """Make the folder, unless ``make`` is false, and let the block write to it.

    Raises CannotWrite with the path and the reason if the disk is full or read-only, or the folder is gone;
    ProdgenError if a part of the path is a file.
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
    """Return the operating system's error number, None for an error of another origin."""
    if isinstance(error, OSError):
        return error.errno
    found = _RUST_ERROR.search(str(error))
    return int(found[1]) if found else None
