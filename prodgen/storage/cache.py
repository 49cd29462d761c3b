"""Folders that can be fetched again, kept within a budget of bytes: those used least recently go first."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

RECENT = 3600.0
"""Seconds for which a folder stays after its last use: whoever fetched it may not have opened it yet."""
ABANDONED = 86_400.0
"""Seconds after which nobody is at work any more on what is half fetched or half removed."""

_USES = "uses"
_FETCHED = re.compile(r"(.+-)?[0-9a-f]{12}([0-9a-f]{52})?")
"""The names of fetched folders end in a digest; whatever else lies beside them is not to be removed."""


def mark_used(folder: Path) -> None:
    """Say that a folder is used now. Said before one looks whether all is there, it cannot go after that."""
    with suppress(OSError):  # there is none, or it is another user's
        os.utime(folder)


def hold(user: Path, folder: Path) -> None:
    """Let a fetched folder stay for as long as the folder ``user`` does, which gets a link to it."""
    (user / _USES).mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (user / _USES / folder.name).symlink_to(folder.resolve())


def held(users: Path) -> list[Path]:
    """What the folders in ``users`` `hold`."""
    links = list[Path]()
    for user in users.iterdir():
        with suppress(OSError):  # it holds nothing, or goes in this very moment
            links += (user / _USES).iterdir()
    return links


def make_room(budget: int, caches: Iterable[Path], in_use: Iterable[Path] = ()) -> None:
    """Remove fetched folders until those of all ``caches`` together have at most ``budget`` bytes.

    What was used within the hour stays, and so does what is ``in_use``, whatever it takes. Any number of
    processes may share the caches, and do this at once.
    """
    caches, busy = list(caches), {path.resolve() for path in in_use}
    for partial in (p for cache in caches for p in cache.glob(".partial-*")):
        if time.time() - _last_use(partial) > ABANDONED:
            shutil.rmtree(partial, ignore_errors=True)
    folders = sorted(_fetched(caches), key=_last_use)
    sizes = {folder: _size(folder) for folder in folders}
    excess = sum(sizes.values()) - budget
    for folder in folders:
        if excess > 0 and folder.resolve() not in busy and _remove(folder):
            excess -= sizes[folder]


def _fetched(caches: Iterable[Path]) -> Iterator[Path]:
    for cache in caches:
        with suppress(FileNotFoundError):
            yield from (path for path in cache.iterdir() if _FETCHED.fullmatch(path.name))


def _last_use(folder: Path) -> float:
    """0 if it has gone."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _size(folder: Path) -> int:
    """Bytes of all files, leaving out what goes meanwhile."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_size
    return size


def _remove(folder: Path) -> bool:
    """Whether it is gone: at once for all others, since they never see half of it."""
    if _is_recent(folder):
        return False
    aside = folder.with_name(f".partial-{secrets.token_hex(8)}")
    try:
        folder.rename(aside)
    except OSError:  # it cannot be moved, or another process was faster
        return not folder.exists()
    if _is_recent(aside):  # it was marked in this very moment, by somebody who saw it whole
        with suppress(OSError):
            aside.rename(folder)
            return False
    shutil.rmtree(aside, ignore_errors=True)
    return True


def _is_recent(folder: Path) -> bool:
    return time.time() - _last_use(folder) < RECENT
