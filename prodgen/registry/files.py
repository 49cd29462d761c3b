"""List the files of a version in the store, with their digests."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from prodgen.registry.versions import Version
from prodgen.storage.base import Store, read_chunks


@dataclass(frozen=True)
class VersionFile:
    """A file of a version: its store key, its name in the version's folder, its size in bytes, its digest."""

    key: str
    name: str
    size: int
    sha256: str


def files(store: Store, version: Version) -> tuple[VersionFile, ...]:
    """Return the files of a version, sorted by name.

    The first call for a version is slow: it reads all files to compute their digests.
    """
    return _files(store, f"{version.prefix}/")


@lru_cache(1024)  # the files of a version never change
def _files(store: Store, prefix: str) -> tuple[VersionFile, ...]:
    return tuple(
        VersionFile(info.key, info.key.removeprefix(prefix), info.size, _digest(store, info.key))
        for info in store.list(prefix)
    )


def _digest(store: Store, key: str) -> str:
    digest = hashlib.sha256()
    for chunk in read_chunks(store, key):
        digest.update(chunk)
    return digest.hexdigest()
