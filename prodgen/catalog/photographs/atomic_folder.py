"""Write a folder that gets its final name only when all its files are written."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prodgen.catalog.picture_files import printable
from prodgen.errors import Conflict


def check_new_folder(out: Path, source: Path) -> None:
    """Raise Conflict if ``out`` is not empty, or is within ``source``, the folder that the caller reads."""
    if out.resolve().is_relative_to(source.resolve()):
        raise Conflict(f"{printable(out)} lies within {printable(source)}; name a folder beside it")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Conflict(f"{printable(out)} is there already; name a new folder, or remove it first")


@contextmanager
def atomic_folder(out: Path, source: Path) -> Iterator[Path]:
    """Yield an empty folder to write to; rename it to ``out`` at the end, or remove it after an error.

    The empty folder is beside ``out`` and locked; files that a killed process left in it are removed first.
    Raises Conflict like `check_new_folder`, or if another process is writing ``out``.
    """
    check_new_folder(out, source)
    unfinished = out.absolute().parent / f".{out.name}.unfinished"
    unfinished.mkdir(parents=True, exist_ok=True)
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
