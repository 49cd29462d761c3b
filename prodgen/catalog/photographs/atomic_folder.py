"""Write a folder that gets its final name only when all its files are written."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prodgen.catalog.picture_files import printable
from prodgen.errors import Conflict, ProdgenError


@contextmanager
def atomic_folder(out: Path, source: Path) -> Iterator[Path]:
    """Yield an empty folder to write to; rename it to ``out`` at the end, or remove it after an error.

    The empty folder is beside ``out`` and locked; files that a killed process left in it are removed first.
    Raises Conflict if ``out`` is not empty, if another process is writing ``out``, or if ``out`` is within
    ``source``, the folder that the caller reads.
    """
    if out.resolve().is_relative_to(source.resolve()):
        raise Conflict(f"{printable(out)} lies within {printable(source)}; name a folder beside it")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Conflict(f"{printable(out)} is there already; name a new folder, or remove it first")
    unfinished = out.absolute().parent / f".{out.name}.unfinished"
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProdgenError(f"cannot write to {printable(out)}: {error.strerror}") from None
    lock = os.open(unfinished, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Conflict(f"another process is writing {printable(out)}") from None
    content = unfinished / "content"
    try:
        shutil.rmtree(content, ignore_errors=True)  # of a killed process
        content.mkdir()
        yield content
        content.rename(out)  # replaces an empty folder, too
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        os.close(lock)
