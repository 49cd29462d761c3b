"""A folder that appears when all of it is written, or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prodgen.catalog.picture_files import printable
from prodgen.errors import Conflict, ProdgenError


@contextmanager
def whole_folder(out: Path, beside: Path) -> Iterator[Path]:
    """An empty folder to write into: at the end it becomes ``out``, after an error it is removed.

    It lies beside ``out``; what a run that was killed has left there is removed first. Raises Conflict if
    ``out`` has something in it, another process is about to write it, or it lies within ``beside``, whose
    pictures are being read.
    """
    if out.resolve().is_relative_to(beside.resolve()):
        raise Conflict(f"{printable(out)} lies within {printable(beside)}; name a folder beside it")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Conflict(f"{printable(out)} is there already; name a new folder, or remove it first")
    room = out.absolute().parent / f".{out.name}.unfinished"
    try:
        room.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProdgenError(f"cannot write to {printable(out)}: {error.strerror}") from None
    held = os.open(room, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise Conflict(f"another process is writing {printable(out)}") from None
    try:
        _clear(room)
        yield room
        room.rename(out)  # onto an empty folder it replaces it; all at once, either way
    except BaseException:
        shutil.rmtree(room, ignore_errors=True)
        raise
    finally:
        os.close(held)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
