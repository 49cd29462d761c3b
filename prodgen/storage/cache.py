"""A cache on disk: folders that can be fetched again, evicted in the order of their last use.

The modification time of a folder is the time of its last use. Any number of processes may share a cache.
"""

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prodgen.errors import ProdgenError

RECENT = 3600.0
"""Seconds after its last use in which a folder is not evicted: it may not have been opened yet."""
ABANDONED = 86_400.0
"""Seconds after which a partial folder belongs to no live process any more."""

_PINS = "uses"
_FETCHED = re.compile(r"(.+-)?[0-9a-f]{12}([0-9a-f]{52})?")
"""Names of fetched folders end in a digest; nothing else in a cache is evicted."""


@contextmanager
def new_folder(target: Path, is_complete: Callable[[], bool]) -> Iterator[Path]:
    """Yield an empty folder to fill; if no error is raised, it then becomes ``target`` in one step.

    A target that another process has completed meanwhile is kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    try:
        yield partial
        for _ in range(2):
            with suppress(OSError):
                partial.rename(target)
                return
            if is_complete():
                return
            shutil.rmtree(target, ignore_errors=True)
        raise ProdgenError(f"{target} cannot be written")
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def mark_used(folder: Path) -> None:
    """Set the folder's last use to now. Call it before checking that the folder is complete.

    An eviction cannot then remove the folder between the check and its use.
    """
    with suppress(OSError):  # the folder is missing, or belongs to another user
        os.utime(folder)


def pin(user: Path, folder: Path) -> None:
    """Keep a fetched folder for as long as the folder ``user`` exists, by a link in ``user``."""
    (user / _PINS).mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (user / _PINS / folder.name).symlink_to(folder.resolve())


def pinned(users: Path) -> list[Path]:
    """Return the folders that any folder in ``users`` has pinned."""
    links = list[Path]()
    for user in users.iterdir():
        with suppress(OSError):  # it has pinned nothing, or is being removed
            links += (user / _PINS).iterdir()
    return links


def evict(budget: int, caches: Iterable[Path], keep: Iterable[Path] = ()) -> None:
    """Remove fetched folders until those of all ``caches`` together have at most ``budget`` bytes.

    The least recently used folders go first. Folders used within the last hour, and those in ``keep``, stay
    even if they exceed the budget. Partial folders of dead processes are removed too.
    """
    caches, kept = list(caches), {path.resolve() for path in keep}
    for partial in (p for cache in caches for p in cache.glob(".partial-*")):
        if time.time() - _last_use(partial) > ABANDONED:
            shutil.rmtree(partial, ignore_errors=True)
    folders = sorted(_fetched(caches), key=_last_use)
    sizes = {folder: _size(folder) for folder in folders}
    excess = sum(sizes.values()) - budget
    for folder in folders:
        if excess > 0 and folder.resolve() not in kept and _remove(folder):
            excess -= sizes[folder]


def _fetched(caches: Iterable[Path]) -> Iterator[Path]:
    for cache in caches:
        with suppress(FileNotFoundError):
            yield from (path for path in cache.iterdir() if _FETCHED.fullmatch(path.name))


def _last_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # another process has removed it
        return 0.0


def _size(folder: Path) -> int:
    """Return the bytes of all files in the folder, without those that are removed meanwhile."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_size
    return size


def _remove(folder: Path) -> bool:
    """Remove the folder unless it was used recently; return whether it is gone.

    It is renamed first, so that no other process sees half of it.
    """
    if _is_recent(folder):
        return False
    partial = folder.with_name(f".partial-{secrets.token_hex(8)}")
    try:
        folder.rename(partial)
    except OSError:  # it cannot be renamed, or another process has removed it
        return not folder.exists()
    if _is_recent(partial):  # another process marked it just before the rename
        with suppress(OSError):
            partial.rename(folder)
            return False
    shutil.rmtree(partial, ignore_errors=True)
    return True


def _is_recent(folder: Path) -> bool:
    return time.time() - _last_use(folder) < RECENT
